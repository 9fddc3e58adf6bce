"""docs/registry.md says the truth: its commands run, in an environment that has the wheel alone."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from mlflow import pyfunc

from dsn import checkpoint
from dsn.network import build
from dsn.skeleton import POSETRACK
from pipeline.release.gate import GateConfig
from pipeline.release.promotion import promote
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.package import example
from pipeline.tracking.registration import register
from pipeline.tracking.runs import start_run
from tests.world.clips import model_config
from tests.world.ports import free_port
from tests.world.registry import metrics
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
    assert promote(tracking, LIMITS, version=added, **metrics(ap, data="d2"))["promoted"]


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


@pytest.fixture
def served(place: Place) -> Iterator[str]:
    """The port on which the page's command serves the champion; it answers."""
    [command] = [line for line in COMMANDS if line.startswith("mlflow models serve")]
    port = str(free_port())
    with (place.folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            shlex.split(command.replace("5001", port)),
            cwd=place.folder,
            env=place.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        while not answers(f"http://127.0.0.1:{port}/ping"):
            assert process.poll() is None, (place.folder / "serve.log").read_text()
            time.sleep(0.5)
        yield port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the server is a child of the command
        process.wait()


def answers(address: str) -> bool:
    try:
        urlopen(address, timeout=5).close()
    except OSError:
        return False
    return True


def test_a_served_champion_answers_what_its_pyfunc_answers(
    place: Place, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    download, ask = (line for line in COMMANDS if line.startswith(("mlflow artifacts", "curl")))
    place.run(download)

    answer = json.loads(place.run(ask.replace("5001", served)))["predictions"]

    monkeypatch.setenv("MLFLOW_TRACKING_URI", place.environment["MLFLOW_TRACKING_URI"])
    wanted = pyfunc.load_model("models:/dsn-pose@champion").predict(example(frames=5))
    assert wanted["keypoints"].shape == (2, 17, 2)
    np.testing.assert_allclose(answer["keypoints"], wanted["keypoints"], atol=1e-4)
    np.testing.assert_allclose(answer["scores"], wanted["scores"], atol=1e-6)
