"""The verbs of docs/tutorial.md and docs/own_data.md run, on a champion of random weights in a trained one's place."""

import os
import shlex
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from dsn import checkpoint
from dsn.config import ModelConfig
from dsn.network import build
from dsn.skeleton import POSETRACK, Skeleton
from pipeline import params
from pipeline.__main__ import app
from pipeline.artifacts import read_json
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registration import register
from pipeline.tracking.runs import start_run
from stages import evaluate
from tests.world import pages, thirteen
from tests.world.workplace import make_workplace

STAGES = list(params.read(pages.ROOT / "dvc.yaml")["stages"])
VERB = "python -m pipeline "
VIDEO = "005001_mpii_test"

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")]


@pytest.fixture
def workplace(tmp_path: Path, drawn_world: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as after stage shard, in which the test runs; without the settings of another server."""
    folder = make_workplace(tmp_path / "workplace", drawn_world)
    (folder / "data" / "drawn").symlink_to(drawn_world)
    (folder / "presets").symlink_to(pages.ROOT / "presets")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(folder)
    return folder


def crown(*, skeleton: Skeleton) -> None:
    """Make a champion of a network with random weights."""
    tracking = params.load(Path("params.yaml"), "tracking", into=TrackingConfig)
    config = params.load(Path("params.yaml"), "model", into=ModelConfig)
    torch.manual_seed(0)
    model = Path("train/model")
    checkpoint.save(model, build(config, skeleton), config=config, skeleton=skeleton)
    os.link(model / "network.safetensors", model / "raw.safetensors")
    run = start_run(tracking, "train", tags={})
    run.finish()
    register(tracking, model, run_id=run.run_id, tags={}, card="", alias="champion")


def said(line: str) -> str:
    """What a command line of a page prints; it must succeed."""
    result = CliRunner().invoke(app, shlex.split(line.removeprefix(VERB)))
    assert result.exit_code == 0, (line, result.output, result.exception)
    return result.output


def test_the_tutorials_verbs_make_what_it_looks_at(workplace: Path) -> None:
    crown(skeleton=POSETRACK)
    data = Path("data")
    evaluate.main(
        Path("models:/dsn-pose@champion"),
        index=data / "index",
        train=data / "shards" / "train",
        val=data / "shards" / "val",
        out=Path("evaluation"),
    )
    lines = [line for line in pages.commands("docs/tutorial.md") if line.startswith(VERB)]

    told = {line.split()[3]: said(line) for line in lines}

    assert [*told] == ["check", "browse", "config", "describe", "score", "lineage", "predict"]
    assert "dsn-pose version 1, run " in told["lineage"]
    assert "nothing blocks" in told["check"]
    made = ("checks/checks.html", "clips/index.html", "score.json", f"poses/{VIDEO}.mp4", f"poses/{VIDEO}.csv")
    assert [name for name in made if not (workplace / "look" / name).is_file()] == []


def test_the_tutorial_asks_for_stages_that_there_are() -> None:
    asked = [line.split() for line in pages.commands("docs/tutorial.md") if line.startswith("dvc repro ")]

    assert asked
    assert {stage for words in asked for stage in words[2:]} <= {*STAGES}


def test_the_verbs_of_the_page_on_own_data_run_on_thirteen_joints(workplace: Path, drawn_world: Path) -> None:
    thirteen.convert(drawn_world, workplace / "mydata")
    crown(skeleton=thirteen.THIRTEEN)
    check, whole, predict = pages.commands("docs/own_data.md")

    assert "nothing blocks" in said(check)
    assert whole == "python -m pipeline cluster run dvc repro report"
    said(predict.replace("VIDEO", VIDEO))
    people = read_json(workplace / "look" / "poses" / f"{VIDEO}.coco.json")
    assert {len(person["keypoints"]) for person in people} == {3 * 13}
