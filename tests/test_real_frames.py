"""Real frames with the default params: the DAG trains on 24 of them and is scored on those that follow."""

import json
from pathlib import Path

import pytest

from pipeline import params
from pipeline.artifacts import read_json, write_text
from tests.world.clone import SECONDS, clean_environment, clone_of_head, dvc

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * SECONDS)]

VIDEO = "470980_bonn_test"
AT_LEAST = 30.0
"""Official AP of the final readout on the 17 frames that follow the 24 trained on, with the same people."""


def test_the_default_pipeline_learns_from_real_frames(posetrack_sample: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dsn-pose"
    clone_of_head(folder)
    values = params.read(folder / "params.yaml")
    values["data"]["root"] = str(posetrack_sample)
    write_text(folder / "params.yaml", json.dumps(values, indent=1))

    dvc("repro", "evaluate", folder=folder, environment=clean_environment(site=tmp_path / "site"))

    scores = read_json(folder / "evaluation" / "metrics.json")
    assert scores["labels"]["files"] == 4
    assert scores["sequences"][VIDEO] >= AT_LEAST
