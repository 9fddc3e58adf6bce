"""docs/registry.md says the truth: its commands run, in an environment that has the wheel alone."""

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from dsn import checkpoint
from dsn.network import build
from dsn.skeleton import POSETRACK
from pipeline.release.gate import GateConfig
from pipeline.release.promotion import promote
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registration import register
from pipeline.tracking.runs import start_run
from tests.world.clips import model_config
from tests.world.wheel import ROOT, environment_of, install_wheel, run

PAGE = (ROOT / "docs" / "registry.md").read_text(encoding="utf-8")
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = [line for language, block in FENCED if not language for line in block.splitlines()]
LIMITS = GateConfig(floor_ap=0.0, max_ap_loss=1.0, max_retention_loss=1.0, max_slowdown=100.0, draws=10, seed=0)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder without the repository's code, with a registry of two champions."""

    folder: Path
    environment: dict[str, str]

    def run(self, command: str) -> str:
        """What a command line prints; it must succeed."""
        return run(shlex.split(command), folder=self.folder, environment=self.environment)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("place")
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    tracking = TrackingConfig(uri=f"sqlite:///{folder}/mlflow.db", experiment="tests", model="dsn-pose")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        for ap in (50.0, 60.0):
            crown(folder / f"model{ap}", tracking, ap=ap)
    return Place(folder=folder, environment=environment_of(install_wheel(folder), uri=str(tracking.uri)))


def crown(model: Path, tracking: TrackingConfig, *, ap: float) -> None:
    """Make a champion of a network with random weights."""
    config = model_config()
    checkpoint.save(model, build(config, POSETRACK), config=config, skeleton=POSETRACK)
    shutil.copyfile(model / "network.safetensors", model / "raw.safetensors")
    trained = start_run(tracking, "train", tags={})
    trained.finish()
    added = register(tracking, model, run_id=trained.run_id, tags={"data.train": "d1"}, card="", alias="candidate")
    evaluation = {
        "data_hash": "d2",
        "metric": "PoseTrack AP",
        "boxes": "ground truth",
        "readouts": {"final": {"ap": {"Total": ap}}},
        "sequences": {},
    }
    stress = {"data_hash": "d2", "retention": 0.5, "verdict": {}}
    assert promote(tracking, LIMITS, version=added.version, evaluation=evaluation, stress=stress)["promoted"]


def test_the_wheel_alone_loads_the_champion_as_the_page_says(place: Place) -> None:
    [code] = [block for language, block in FENCED if language == "python"]

    assert place.run(f"python -W ignore -c {shlex.quote(code)}").splitlines()[-1] == "(1, 17, 2) (1, 17)"
    where = place.run('python -c "import pipeline; print(pipeline.__file__)"')
    assert where.startswith(str(place.folder / "env"))


def test_the_verbs_of_the_page_run(place: Place) -> None:
    said = {line: place.run(line) for line in COMMANDS if line.startswith("dsn-pose")}

    assert "dsn-pose version 2, run " in said["dsn-pose lineage champion"]
    assert "all is as it was registered" in said["dsn-pose lineage champion --verify"]
    assert said["dsn-pose lineage --data d1"].splitlines() == [
        "dsn-pose version 2: data.train",
        "dsn-pose version 1: data.train",
    ]
    assert "version 1 is champion again in place of version 2" in said["dsn-pose rollback"]
