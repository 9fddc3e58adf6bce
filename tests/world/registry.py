"""A real MLflow on SQLite, created once; every test has a model name of its own in it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from dsn import checkpoint
from dsn.network import build
from dsn.skeleton import POSETRACK
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registration import register
from pipeline.tracking.registry import Version, point
from pipeline.tracking.runs import start_run
from pipeline.tracking.server import connect
from tests.world.clips import model_config


def metrics(
    ap: float | None = 60.0, retention: float | None = 0.6, *, data: str = "d1", grid: str = "g1"
) -> dict[str, Any]:
    """What stages evaluate and stress measured, as far as promotion reads it."""
    return {
        "evaluation": {
            "data_hash": data,
            "metric": "PoseTrack AP",
            "joint_score": "heatmap_times_box",
            "boxes": "ground truth",
            "box_source": None,
            "readouts": {"final": {"ap": {"Total": ap}}},
            "sequences": {f"video{number}": ap for number in range(6)},
        },
        "stress": {
            "data_hash": data,
            "grid_hash": grid,
            "retention": retention,
            "verdict": {"black": {"holds": "yes", "text": "It holds."}},
        },
    }


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a database with its tables made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        uri = f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"
        connect(TrackingConfig(uri=uri, experiment="tests", model="none"))
        yield uri


@pytest.fixture
def tracking(database: str, request: pytest.FixtureRequest) -> TrackingConfig:
    """The database, under a model name that no other test uses."""
    return TrackingConfig(uri=database, experiment="tests", model=request.node.name)


@pytest.fixture(scope="session")
def random_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny network with random weights, as training leaves it. Read it only."""
    folder = tmp_path_factory.mktemp("random") / "model"
    config = model_config()
    torch.manual_seed(0)
    checkpoint.save(folder, build(config, POSETRACK), config=config, skeleton=POSETRACK)
    shutil.copyfile(folder / "network.safetensors", folder / "raw.safetensors")
    return folder


@pytest.fixture
def model(random_network: Path, tmp_path: Path) -> Path:
    """A test's own copy of it."""
    return Path(shutil.copytree(random_network, tmp_path / "model"))


@pytest.fixture
def trained(tracking: TrackingConfig) -> Callable[[], str]:
    """Makes a finished run; gives its id."""

    def train() -> str:
        run = start_run(tracking, "train", tags={})
        run.finish()
        return run.run_id

    return train


@pytest.fixture
def version(tracking: TrackingConfig, model: Path, trained: Callable[[], str]) -> Callable[[], Version]:
    """Registers a new version."""

    def add() -> Version:
        return register(tracking, model, run_id=trained(), tags={"data.train": "d1"}, card="card", alias="candidate")

    return add


@pytest.fixture
def addresses(
    tracking: TrackingConfig,
    version: Callable[[], Version],
    random_network: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[str, str, str]:
    """One network by an alias, a version and a folder; verbs and stages find the registry."""
    added = version()
    point(tracking, alias="champion", version=added.version)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tracking.uri))
    return f"models:/{added.name}@champion", f"models:/{added.name}/{added.version}", str(random_network)
