"""`cluster up` leaves a Ray for the commands to come, and `cluster down` ends it and no other."""

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from pipeline import standing
from pipeline.standing import Standing

ROOT = Path(__file__).parents[2]
WORK = "from pipeline.cluster import connected\nwith connected() as address: print(address)\n"


@dataclass(slots=True)
class Place:
    """Folders to work in and for temporary files, with short names: a socket's path ends at 107 bytes."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "w" / ".ray" / "cluster.json"

    def run(self, *command: str, environment: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """Run Python in the working folder, outside any other cluster but what `environment` names."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        own = {"TMPDIR": str(self.folder / "t"), "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, *command],
            cwd=self.folder / "w",
            env={**kept, **own, **(environment or {})},
            capture_output=True,
            text=True,
            check=True,
            timeout=200,
        )

    def cluster(self, verb: str) -> str:
        return self.run("-m", "pipeline", "cluster", verb).stdout.strip()

    def processes(self) -> list[str]:
        """Command lines of processes that know the folder."""
        lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
        return [line for line in lines if str(self.folder) in line]


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="u") as folder:
        for name in ("w", "t"):
            Path(folder, name).mkdir()
        made = Place(Path(folder))
        yield made
        if made.file.exists():
            made.cluster("down")


@pytest.mark.slow
def test_commands_share_what_is_up_until_it_is_ended_and_then_nothing_is_left(place: Place) -> None:
    address = place.cluster("up")

    assert stat.S_IMODE(place.file.stat().st_mode) == 0o600
    assert json.loads(place.file.read_text())["address"] == address
    assert place.cluster("up") == address
    assert [place.run("-c", WORK).stdout.strip() for _ in range(2)] == [address, address]
    shared = place.run("-m", "pipeline", "cluster", "run", sys.executable, "-c", WORK)
    assert shared.stdout.strip() == address
    assert place.cluster("down") == "ended"
    assert place.processes() == []
    assert not place.file.exists()
    assert list((place.folder / "t").glob("dsn-pose-*")) == []


@pytest.mark.slow
def test_a_stranger_is_not_let_in_and_the_last_line_says_what_is_wanted(place: Place) -> None:
    address = place.cluster("up")
    stranger = {"RAY_ADDRESS": address, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}

    with pytest.raises(subprocess.CalledProcessError) as refused:
        place.run("-m", "pipeline", "cluster", "run", "true", environment=stranger)

    assert refused.value.returncode == 1
    *of_ray, line = (refused.value.stdout + refused.value.stderr).splitlines()
    assert [text for text in of_ray if "InvalidAuthToken" not in text] == []
    assert line.startswith(f"RAY_ADDRESS: Ray does not let this process in at {address} (")
    assert "its RAY_AUTH_TOKEN where RAY_AUTH_MODE is token" in line


@pytest.mark.slow
def test_one_that_was_killed_is_told_of_and_done_without(place: Place) -> None:
    address = place.cluster("up")
    psutil.Process(json.loads(place.file.read_text())["holder"]).kill()

    work = place.run("-c", WORK)

    assert f"the cluster of `make cluster-up` at {address} is dead" in work.stderr
    assert work.stdout.strip() not in ("", address)
    assert not place.file.exists()
    assert place.cluster("down") == "nothing was up"


def test_a_number_that_another_process_has_now_is_not_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".ray").mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        since = standing.began(psutil.Process(other.pid)) - 1
        standing.write(Standing(address="127.0.0.1:1", token="t", holder=other.pid, since=since))

        assert standing.address() is None
        assert other.poll() is None
        assert not standing.FILE.exists()
        other.communicate(b"\n")


def test_a_process_began_so_many_seconds_behind_the_machine_whatever_its_clock_says() -> None:
    own = psutil.Process()
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    found = Standing(address="127.0.0.1:1", token="t", holder=own.pid, since=ticks / os.sysconf("SC_CLK_TCK"))

    assert standing.began(own) == pytest.approx(found.since, abs=1e-3)
    assert found.process == own
    assert replace(found, since=found.since - 1).process is None


def test_nothing_up_is_nothing_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert standing.address() is None
    assert not standing.down()
