"""The whole DAG on data that is not PoseTrack's: thirteen joints of other names, no head bboxes; then on detections."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline import params
from pipeline.artifacts import read_json, write_text
from tests.test_whole import STAGES, Clone
from tests.world import thirteen
from tests.world.clone import SECONDS, clean_environment, clone_of_head, executed, stages_run
from tests.world.drawn import draw_world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * SECONDS)]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone with small params, in which everything that the report needs ran once on own data."""
    folder = tmp_path_factory.mktemp("own") / "dsn-pose"
    clone_of_head(folder)
    params.use_preset(folder / "params.yaml", folder / "tests" / "world", "tiny")
    world = draw_world(folder.parent / "drawn", train_videos=4)
    set_data(folder, root=str(thirteen.convert(world, folder.parent / "data")))
    environment = clean_environment(site=folder.parent / "site")
    return Clone(folder=folder, environment=environment, first=repro(folder, environment))


def repro(folder: Path, environment: dict[str, str]) -> str:
    """What is printed when all that the report needs is made, on one Ray cluster for all stages."""
    command = ["python", "-m", "pipeline", "cluster", "run", "dvc", "repro", "report"]
    status, output = executed(command, folder, environment=environment)
    assert status == 0, output
    return output


def set_data(folder: Path, **values: Any) -> None:
    """Change the section `data` of the clone's params."""
    everything = params.read(folder / "params.yaml")
    everything["data"] |= values
    write_text(folder / "params.yaml", json.dumps(everything, indent=1))


def page(clone: Clone) -> str:
    text = (clone.folder / "report" / "index.html").read_text(encoding="utf-8")
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def test_every_stage_runs_and_says_by_what_it_measured(clone: Clone) -> None:
    evaluation, stress, promotion = (
        read_json(clone.folder / name) for name in ("evaluation/metrics.json", "stress/metrics.json", "promotion.json")
    )

    assert sorted(stages_run(clone.first)) == sorted({*STAGES} - {"draw"})
    assert {part["metric"] for part in (evaluation, stress, promotion)} == {"OKS-AP"}
    assert promotion["ap"] == evaluation["readouts"]["final"]["oks_ap"]
    assert promotion["promoted"]
    assert "and OKS-AP" in promotion["reason"]
    assert set(evaluation["readouts"]["final"]["pck"]) == {"Face", "Arms", "Legs", "Total"}
    assert set(evaluation["sequences"]) == {"005001_mpii_test", "005002_mpii_test"}


def test_checkpoints_and_trials_are_chosen_by_a_score(clone: Clone) -> None:
    for run in ("pretrain", "control", "train"):
        found = read_json(clone.folder / run / "run.json")
        assert found["yardstick"] == {"name": "PCK@0.2", "unit": "bbox_size", "threshold": 0.2}
        assert 0 <= found["best"]["select/pck_final"] <= 100
    trials = pd.read_csv(clone.folder / "tune" / "trials.csv")
    assert trials["select/pck_final"].notna().all()


def test_the_page_shows_the_skeleton_and_names_its_metrics(clone: Clone) -> None:
    text = page(clone)

    assert "OKS-AP of the final readout on val" in text
    assert "with the sigmas of the skeleton thirteen" in text
    assert "Joints are scored by PCK@0.2" in text
    assert "right-knee" in text
    assert "Nobody has that many labelled joints" not in text
    assert "PCKh" not in text


def test_on_detected_people_only_what_reads_val_runs_again_and_names_their_boxes(clone: Clone) -> None:
    set_data(clone.folder, boxes={"file": thirteen.BOXES, "min_score": 0.4})

    output = repro(clone.folder, clone.environment)

    evaluation = read_json(clone.folder / "evaluation" / "metrics.json")
    # evaluate and stress do not need each other: DVC runs either first
    assert sorted(stages_run(output)) == sorted(["prepare", "shard", "evaluate", "stress", "promote", "report"])
    assert evaluation["box_source"]["file"] == thirteen.BOXES
    assert evaluation["readouts"]["final"]["ap"]["Total"] is not None
    assert read_json(clone.folder / "stress" / "metrics.json")["boxes"] == "neighbour"
    assert "boxes: detected (boxes.json, sha256" in page(clone)
    assert "Joints have no scores of their own" in page(clone)
    assert "is the champion already" in page(clone)
