"""What every test shares: shapes checked at run time, and the folders of real data, where there are any."""

import importlib
import os
import signal
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

os.environ["OMP_NUM_THREADS"] = "1"  # several threads a process beside other busy processes are many times slower
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

# What a shell runs in the background ignores an interrupt, and so would everything that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

install_import_hook(["dsn", "pipeline"], "beartype.beartype")

SHARED = Path(os.environ.get("DSN_POSE_SHARED", Path(__file__).parents[2] / "shared"))


def _folder(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"{name} is not beside the project (set DSN_POSE_SHARED to the folder that holds it)")
    return folder


@pytest.fixture(scope="session")
def oracle() -> Path:
    """Predictions with the official evaluator's results."""
    return _folder("oracle")


@pytest.fixture(scope="session")
def posetrack_sample() -> Path:
    """A few real frames in PoseTrack18's layout."""
    return _folder("posetrack_sample")


@pytest.fixture(scope="session")
def drawn_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small drawn dataset in PoseTrack18's layout: three training and two validation videos. Read it only."""
    world = importlib.import_module("tests.world.drawn")
    root: Path = world.draw_world(tmp_path_factory.mktemp("world") / "drawn")
    return root
