"""What a training run leaves on MLflow when it came to its end in several parts."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.artifacts import write_text
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.server import connect
from pipeline.training.job import from_params
from pipeline.training.tracked import before, open_run
from tests.world.runs import settle, small_params


def test_what_came_before_an_interruption_is_told_of_the_run_that_went_on() -> None:
    scores = {"step": 2.0, "select/pck_final": 40.0}
    history = [{"step": 1.0, "loss": 3.0}, {"step": 2.0, "loss": 2.0}, scores, {"step": 3.0, "loss": 1.0}]

    assert before(history, history[3:]) == history[:3]
    assert before(history, history) == []
    assert before(history, []) == history


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_a_run_whose_driver_was_killed_is_closed_when_the_same_run_goes_on_and_no_other_is(
    drawn_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(tmp_path, drawn_world)
    write_text(tmp_path / "params.yaml", json.dumps(small_params()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracking = TrackingConfig(uri=f"sqlite:///{tmp_path}/mlflow.db", experiment="e", model="m")
    job = from_params(Path("params.yaml"), kind="dual", section="train", shards=Path("shards"))
    edited = replace(job, train=replace(job.train, seed=7))

    jobs = (job, edited, job)
    runs = [open_run(one, tracking, name="train", tags={}, parent=None) for one in jobs]

    status = [connect(tracking).get_run(run.run_id).info.status for run in runs]
    assert status == ["KILLED", "RUNNING", "RUNNING"]
