"""A private Ray cluster ends with the work, however the work ends."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from pathlib import Path

import psutil
import pytest

from pipeline.cluster import LEFT_BEHIND, SETTINGS, ClusterConfig, silence
from tests.world.ports import free_port

ROOT = Path(__file__).parents[2]
SOON, PATIENCE = "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S"
"""Settings of Ray: one that is ours, and one that a test sets itself."""
WORK = """
import sys, time
from pipeline.cluster import connected
with connected():
    print("up", flush=True)
    {then}
"""


def config(**changes: object) -> ClusterConfig:
    values: dict[str, object] = {
        "workers": 2,
        "min_workers": None,
        "cpus_per_worker": 1.0,
        "gpus_per_worker": 0.0,
        "max_failures": 0,
        "storage": "runs",
    }
    return ClusterConfig(**(values | changes))  # type: ignore[arg-type]


def test_a_folder_of_checkpoints_is_absolute_and_a_url_is_itself() -> None:
    assert config().storage_path == str(Path("runs").resolve())
    assert config(storage="s3://bucket/runs").storage_path == "s3://bucket/runs"


@pytest.mark.parametrize(("cpus", "threads"), [(0.5, 1), (1.0, 1), (3.5, 3)])
def test_a_worker_has_a_thread_a_cpu(cpus: float, threads: int) -> None:
    assert config(cpus_per_worker=cpus).threads == threads


@pytest.mark.parametrize("change", [{"workers": 0}, {"cpus_per_worker": 0.0}])
def test_what_no_cluster_can_give_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(change))}: got 0"):
        config(**change)


@pytest.mark.parametrize(("workers", "gpus"), [(2, 0.5), (2, 2.0), (1, 2.0), (1, -1.0)])
def test_gpus_that_ranks_cannot_use_are_refused(workers: int, gpus: float) -> None:
    with pytest.raises(ValueError, match=f"gpus_per_worker: got {gpus:g}, wanted 0, 1, or"):
        config(workers=workers, gpus_per_worker=gpus)


@pytest.mark.parametrize(("workers", "gpus"), [(2, 0.0), (2, 1.0), (1, 0.25)])
def test_a_rank_has_a_gpu_and_one_alone_may_share_it(workers: int, gpus: float) -> None:
    assert config(workers=workers, gpus_per_worker=gpus).gpus_per_worker == gpus


@pytest.mark.parametrize(("fewest", "scale"), [(None, 3), (3, 3), (1, (1, 3))])
def test_workers_are_a_number_or_a_range(fewest: int | None, scale: object) -> None:
    assert config(workers=3, min_workers=fewest).scale == scale


@pytest.mark.parametrize("fewest", [0, 3])
def test_a_range_that_is_none_is_refused(fewest: int) -> None:
    with pytest.raises(ValueError, match=rf"min_workers: got {fewest}, wanted 1 to workers = 2, or null"):
        config(min_workers=fewest)


def started(then: str, folder: Path) -> subprocess.Popen[str]:
    """A process with a cluster that is up; its temporary files go to `folder`."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORK.format(then=then)],
        cwd=folder / "w",
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def environment(folder: Path) -> dict[str, str]:
    """Temporary files go below `folder`, and the project is found from anywhere."""
    return {**os.environ, "TMPDIR": str(folder / "t"), "PYTHONPATH": str(ROOT)}


@pytest.fixture
def place() -> Iterator[Path]:
    """Two folders, to work in and for temporary files, with short names: a socket's path ends at 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="c") as folder:
        for name in ("w", "t"):
            Path(folder, name).mkdir()
        yield Path(folder)


def of_cluster(folder: Path) -> list[str]:
    """Command lines of processes that know the folder."""
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if str(folder) in line]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("then", "how", "status"),
    [("pass", None, 0), ("time.sleep(60)", signal.SIGINT, -signal.SIGINT)],
    ids=["finished", "interrupted"],
)
def test_nothing_is_left_of_a_cluster(then: str, how: signal.Signals | None, status: int, place: Path) -> None:
    process = started(then, place)
    if how is not None:
        time.sleep(1)  # behind Ray's start objects go, and Python drops an interrupt that comes while one does
        process.send_signal(how)

    process.communicate(timeout=60)

    assert process.returncode == status
    assert of_cluster(place) == []
    assert [path.name for path in (place / "t").iterdir() if path.name.startswith("dsn-pose")] == []


@pytest.mark.slow
def test_what_a_killed_process_left_goes_when_the_next_one_starts(place: Path) -> None:
    with started("time.sleep(60)", place) as killed:
        killed.kill()
    left = [path.name for path in (place / "t").iterdir()]

    started("pass", place).communicate(timeout=60)

    assert [name.startswith(f"dsn-pose-ray-{killed.pid}-") for name in left if name.startswith("dsn-pose")] == [True]
    assert of_cluster(place) == []
    assert [path.name for path in (place / "t").iterdir() if path.name.startswith("dsn-pose")] == []


@pytest.mark.parametrize(
    ("address", "reason"),
    [("127.0.0.1:{}", "Connection refused"), ("ray://127.0.0.1:{}", "Connection refused"), ("head", "HOST:PORT")],
)
def test_an_address_where_nothing_answers_is_refused_in_one_line(address: str, reason: str, place: Path) -> None:
    dead = address.format(free_port())
    command = [sys.executable, "-m", "pipeline", "cluster", "run", "true"]

    done = subprocess.run(
        command, cwd=place / "w", env={**environment(place), "RAY_ADDRESS": dead},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 1
    [line] = (done.stdout + done.stderr).splitlines()
    assert line.startswith(f"RAY_ADDRESS: no Ray cluster answers at {dead} (")
    assert reason in line
    assert "unset RAY_ADDRESS" in line


def test_an_address_where_something_else_listens_is_told_from_one_where_ray_does() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        threading.Thread(target=other.handle_request, daemon=True).start()

        assert silence(f"127.0.0.1:{other.server_port}") == "something else listens there"


def test_an_address_where_a_call_is_taken_and_nothing_said_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.cluster.GREETING_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert silence(f"127.0.0.1:{mute.getsockname()[1]}") == "timed out"


def test_ray_hands_our_settings_of_training_on_to_those_who_go_by_them() -> None:
    from ray.train.v2._internal.constants import ENV_VARS_TO_PROPAGATE  # noqa: PLC0415  (Ray takes seconds to import)

    assert {SOON, PATIENCE} == {name for name in SETTINGS if name.startswith("RAY_TRAIN_")}
    assert {SOON, PATIENCE} <= ENV_VARS_TO_PROPAGATE


def test_workers_are_sent_the_code_and_nothing_else_that_lies_beside_it(tmp_path: Path) -> None:
    packaging = import_module("ray._private.runtime_env.packaging")
    code = {"dsn/network.py", "dsn/skeletons/a.json", "pipeline/training/loop.py"}
    others = {
        "mydata/images/a.jpg",
        "mydata/dsn/b.jpg",
        "[odd]/c.bin",
        "vitpose.pth",
        ".git/HEAD",
        "dsn/__pycache__/n.pyc",
    }
    for name in code | others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    packed = tmp_path.with_suffix(".zip")
    packaging._zip_files(str(tmp_path), list(LEFT_BEHIND), str(packed), include_gitignore=True)

    with zipfile.ZipFile(packed) as file:
        assert set(file.namelist()) == code


@pytest.mark.slow
@pytest.mark.parametrize("status", [0, 3])
def test_a_command_shares_one_cluster_and_settings_of_ray_and_its_exit_status_is_handed_on(
    status: int, place: Path
) -> None:
    stage = (
        "import os, ray; from pipeline.cluster import connected\n"
        "with connected() as address:\n"
        "    print(address == os.environ['RAY_ADDRESS'], ray.cluster_resources()['CPU'] >= 2, flush=True)\n"
        f"    print(*ray.get([ray.remote(os.getenv).remote(name) for name in {(SOON, PATIENCE)}]), flush=True)\n"
    )
    both = f"import subprocess, sys\nfor _ in range(2): subprocess.run([sys.executable, '-c', {stage!r}], check=True)\n"
    command = [sys.executable, "-m", "pipeline", "cluster", "run", sys.executable, "-c", f"{both}sys.exit({status})"]
    own = {**environment(place), PATIENCE: "45"}

    done = subprocess.run(command, cwd=place / "w", env=own, capture_output=True, text=True, check=False)

    assert done.returncode == status, done.stderr
    assert done.stdout.splitlines() == ["True True", "0.5 45"] * 2
    assert of_cluster(place) == []
    assert bool(list((place / "w" / ".ray").glob("logs/session_*"))) == bool(status)


@pytest.mark.slow
def test_the_logs_of_work_that_failed_are_kept(place: Path) -> None:
    _, errors = started("sys.exit('it broke')", place).communicate(timeout=60)

    assert "it broke" in errors
    assert of_cluster(place) == []
    assert list((place / "w" / ".ray" / "logs").glob("session_*/raylet.out"))
