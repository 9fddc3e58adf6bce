"""A real MLflow on SQLite, created once; every test has a model name of its own in it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registry import Version, register
from pipeline.tracking.runs import start_run
from pipeline.tracking.server import connect


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


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder of a trained network, as far as the registry looks at it."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "network.safetensors").write_bytes(b"weights")
    (folder / "model.json").write_text("{}")
    return folder


@pytest.fixture
def trained(tracking: TrackingConfig, model: Path) -> Callable[[], str]:
    """Makes a finished run that kept the model; gives its id."""

    def train() -> str:
        run = start_run(tracking, "train", tags={})
        run.log_file(model, folder="model")
        run.finish()
        return run.run_id

    return train


@pytest.fixture
def version(tracking: TrackingConfig, model: Path, trained: Callable[[], str]) -> Callable[[], Version]:
    """Registers a new version."""

    def add() -> Version:
        return register(tracking, model, run_id=trained(), tags={"data.train": "d1"}, alias="candidate")

    return add
