import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
import psutil
import pytest
import ray

from pipeline.artifacts import write_json
from pipeline.posetrack.index import Index, write_index
from pipeline.refusal import Refusal
from pipeline.shards.pack import pack_splits
from pipeline.shards.recipe import Recipe
from pipeline.shards.writer import run_on_ray, write_shards
from tests.world.packing import DRIVER, contents

ROOT = Path(__file__).parents[3]
SECONDS = 240.0
"""Behind this a wait hangs."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(2 * SECONDS),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[int]:
    """A Ray on this machine with as many workers as asked for; a process knows one token for all its clusters."""
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    ray.init(address="local", num_cpus=request.param, include_dashboard=False, log_to_driver=False)
    yield request.param
    ray.shutdown()


@pytest.fixture
def alone(index: Index, tmp_path: Path, make_recipe: Callable[..., Recipe]) -> dict[str, bytes]:
    """What one process makes of the dataset."""
    pack_splits(index, tmp_path, tmp_path / "alone", make_recipe(), run=map)
    return contents(tmp_path / "alone")


@pytest.fixture
def slow_frames(index: Index, tmp_path: Path) -> None:
    """Frames that take a tenth of a second to decode, so that a process can be killed among them."""
    for file in index.frames["file"]:
        small = cv2.imread(str(tmp_path / file))
        assert small is not None
        large = np.full((4000, 4000, 3), small[0, 0], dtype=np.uint8)
        cv2.imwrite(str(tmp_path / file), large)


@pytest.mark.parametrize("cluster", [1, 2, 4], indirect=True)
def test_any_number_of_workers_packs_the_bytes_of_one_process(
    cluster: int, alone: dict[str, bytes], index: Index, tmp_path: Path, make_recipe: Callable[..., Recipe]
) -> None:
    packed = pack_splits(index, tmp_path, tmp_path / "ray", make_recipe(), run=run_on_ray)

    assert contents(tmp_path / "ray") == alone
    assert packed.samples == {"train": 28, "select": 14, "val": 28}
    assert packed.decoded == 5 * 7
    assert ray.cluster_resources()["CPU"] == cluster  # type: ignore[no-untyped-call]


def test_a_private_cluster_packs_and_names_a_frame_that_cannot_be_decoded(
    alone: dict[str, bytes],
    index: Index,
    tmp_path: Path,
    make_recipe: Callable[..., Recipe],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)

    write_shards(index, tmp_path, tmp_path / "ray", make_recipe())

    assert contents(tmp_path / "ray") == alone
    assert sorted(path.name for path in (tmp_path / "ray").iterdir()) == ["select", "train", "val"]
    (tmp_path / "images/000004_b/000002.png").write_bytes(b"spoilt")
    with pytest.raises(Refusal, match=r"000004_b/000002.png: not an image"):
        write_shards(index, tmp_path, tmp_path / "ray", make_recipe())
    assert contents(tmp_path / "ray") == alone


@pytest.mark.parametrize("cluster", [2], indirect=True)
@pytest.mark.usefixtures("cluster", "slow_frames")
def test_a_worker_that_is_killed_loses_nothing(
    alone: dict[str, bytes], index: Index, tmp_path: Path, make_recipe: Callable[..., Recipe]
) -> None:
    killed: list[int] = []
    killer = Thread(target=kill_a_worker, args=(os.getpid(), killed), daemon=True)
    killer.start()

    packed = pack_splits(index, tmp_path, tmp_path / "ray", make_recipe(), run=run_on_ray)

    killer.join(timeout=SECONDS)
    assert killed
    assert contents(tmp_path / "ray") == alone
    assert packed.decoded == 5 * 7


def kill_a_worker(driver: int, killed: list[int]) -> None:
    """SIGKILL the first process below the driver that crops a video."""
    for _ in waiting():
        for process in psutil.Process(driver).children(recursive=True):
            if process.is_running() and "spill_video" in title(process):
                time.sleep(0.2)
                process.kill()
                killed.append(process.pid)
                return


def title(process: psutil.Process) -> str:
    """What a Ray worker says it does; nothing where the process has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def waiting() -> Iterator[None]:
    """Over and over, until it takes too long."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        yield
        time.sleep(0.02)


@pytest.mark.usefixtures("slow_frames")
def test_after_its_driver_was_killed_packing_starts_over_and_gives_the_same_bytes(
    alone: dict[str, bytes],
    index: Index,
    tmp_path: Path,
    make_recipe: Callable[..., Recipe],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    write_index(index, tmp_path / "index")
    write_json(tmp_path / "recipe.json", asdict(make_recipe()))
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, tmp_path], cwd=ROOT)
    next(None for _ in waiting() if [*tmp_path.glob("shards/.spill-*/videos/*.records")])
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    assert next((tmp_path / "shards").iterdir()).name.startswith(".spill-")

    write_shards(index, tmp_path, tmp_path / "shards", make_recipe())

    assert contents(tmp_path / "shards") == alone
