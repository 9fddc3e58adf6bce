"""Of two drivers of one run the second is told, and of a driver that was killed nothing is left in the way."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.refusal import Refusal
from pipeline.training.sole import sole
from tests.world.clone import ROOT

HOLD = """
import sys, time
from pipeline.training.sole import sole
with sole(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_run_is_held_against_other_processes_until_its_driver_is_killed(tmp_path: Path) -> None:
    folder = str(tmp_path / "runs" / "dual-1")
    command = [sys.executable, "-c", HOLD, folder]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"

        with pytest.raises(Refusal, match=r"^dual-1 is being trained by another driver"), sole(folder):
            raise AssertionError("two drivers of one run")
        with sole(str(tmp_path / "runs" / "dual-2")):
            other.kill()

    with sole(folder):
        pass


def test_a_run_is_let_go_however_its_driver_ends(tmp_path: Path) -> None:
    folder = str(tmp_path / "dual-1")
    with pytest.raises(KeyboardInterrupt), sole(folder):
        raise KeyboardInterrupt

    with sole(folder):
        pass


def test_a_storage_that_takes_no_files_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    told = r"^cluster\.storage: nothing can be written to .*dual-1"
    with pytest.raises(Refusal, match=told), sole(str(tmp_path / "file" / "dual-1")):
        raise AssertionError("a file is no folder")


def test_at_a_url_nothing_is_held(tmp_path: Path) -> None:
    with sole(f"memory://{tmp_path}/dual-1"), sole(f"memory://{tmp_path}/dual-1"):
        pass
