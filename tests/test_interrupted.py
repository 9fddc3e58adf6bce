"""Ctrl-C in the middle of the whole DAG."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipeline import params
from tests.world.clone import SECONDS, clean_environment, clone_of_head, dvc, started


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short name: a socket's path ends at 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="i") as folder:
        Path(folder, "t").mkdir()
        yield Path(folder)


def processes_of(folder: Path) -> list[str]:
    """Command lines of processes that name the folder."""
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if str(folder) in line]


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
def test_ctrl_c_while_training_leaves_no_process_no_temporary_file_and_what_was_done(place: Path) -> None:
    folder = place / "clone"
    clone_of_head(folder)
    params.use_preset(folder / "params.yaml", folder / "tests" / "world", "tiny")
    environment = clean_environment(site=place / "site") | {"TMPDIR": str(place / "t")}
    process = started(["python", "-m", "pipeline", "cluster", "run", "dvc", "repro"], folder, environment=environment)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("step "):
            break

    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=120)

    assert process.returncode not in (None, 0), output
    assert "Running stage 'pretrain':\n" in lines, "".join(lines) + output
    assert processes_of(place) == []
    assert [path.name for path in (place / "t").iterdir() if path.name.startswith("dsn-pose")] == []
    assert (folder / "data" / "shards" / "train" / "manifest.json").is_file()
    assert "pretrain" in dvc("status", folder=folder, environment=environment)
