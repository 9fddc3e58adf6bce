import subprocess
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.runs import PROCESS, family_run, flatten, process_tag, resume_run, start_run
from pipeline.tracking.server import connect

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


@pytest.fixture
def client(tracking: TrackingConfig) -> MlflowClient:
    return connect(tracking)


def test_a_run_keeps_parameters_metrics_by_step_and_tags(tracking: TrackingConfig, client: MlflowClient) -> None:
    run = start_run(tracking, "train", tags={"git.sha": "abc"})
    run.log_params({"train": {"steps": 8, "decay": "none"}})
    run.log_metrics({"loss": 2.0}, step=1)
    run.log_metrics({"loss": 1.0}, step=2)
    run.finish()

    kept = client.get_run(run.run_id)

    assert kept.data.params == {"train.steps": "8", "train.decay": "none"}
    assert [(entry.step, entry.value) for entry in client.get_metric_history(run.run_id, "loss")] == [
        (1, 2.0),
        (2, 1.0),
    ]
    assert kept.data.tags["git.sha"] == "abc"
    assert kept.info.status == "FINISHED"


def test_a_failed_run_says_so(tracking: TrackingConfig, client: MlflowClient) -> None:
    run = start_run(tracking, "train", tags={})

    run.finish(failed=True)

    assert client.get_run(run.run_id).info.status == "FAILED"


def test_what_a_killed_process_left_open_is_closed_by_the_next_with_the_same_tag(
    tracking: TrackingConfig, client: MlflowClient
) -> None:
    left, other, ended = (start_run(tracking, "train", tags={"run.name": name}) for name in ("a", "b", "a"))
    ended.finish()

    again = start_run(tracking, "train", tags={"run.name": "a"}, sole="run.name")

    runs = (left, other, ended, again)
    status = [client.get_run(run.run_id).info.status for run in runs]
    assert status == ["KILLED", "RUNNING", "FINISHED", "RUNNING"]


def test_a_run_whose_process_lives_on_this_host_is_not_taken_for_killed(
    tracking: TrackingConfig, client: MlflowClient
) -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        owner = process_tag(process.pid)
        [host, number, _] = owner.split()
        owners = (owner, f"{host} {number} 1.0", owner.replace(host, "elsewhere"))
        left = [start_run(tracking, "train", tags={"run.name": "a", PROCESS: told}).run_id for told in owners]
        statuses = []
        for _ in range(2):  # the second time the process is gone
            start_run(tracking, "train", tags={"run.name": "a"}, sole="run.name")
            statuses.append([client.get_run(run_id).info.status for run_id in left])
            process.kill()
            process.wait()

    assert statuses == [["RUNNING", "KILLED", "KILLED"], ["KILLED", "KILLED", "KILLED"]]


def test_a_child_names_its_parent(tracking: TrackingConfig, client: MlflowClient) -> None:
    parent = start_run(tracking, "tune", tags={})

    child = parent.child("trial 0")

    tags = client.get_run(child.run_id).data.tags
    assert tags["mlflow.parentRunId"] == parent.run_id
    assert tags["mlflow.runName"] == "trial 0"


def test_runs_made_one_by_one_find_the_same_parent_by_its_tags(tracking: TrackingConfig, client: MlflowClient) -> None:
    first = family_run(tracking, "ablation", tags={"ablation": "a1"})
    nested = start_run(tracking, "v3_2-0", tags={}, parent=first)
    nested.finish()
    reopened = resume_run(tracking, first)
    assert reopened is not None
    reopened.finish()

    assert family_run(tracking, "ablation", tags={"ablation": "a1"}) == first
    assert family_run(tracking, "ablation", tags={"ablation": "b2"}) != first
    assert client.get_run(nested.run_id).data.tags["mlflow.parentRunId"] == first
    assert client.get_run(first).info.status == "FINISHED"


def test_files_and_folders_are_kept(tracking: TrackingConfig, client: MlflowClient, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("one.csv", "folder/two.csv"):
        (tmp_path / name).write_text("1\n")
    run = start_run(tracking, "train", tags={})

    run.log_file(tmp_path / "one.csv", folder="")
    run.log_file(tmp_path / "folder", folder="kept")

    assert [entry.path for entry in client.list_artifacts(run.run_id)] == ["kept", "one.csv"]
    assert [entry.path for entry in client.list_artifacts(run.run_id, "kept")] == ["kept/two.csv"]


def test_nested_values_get_dotted_names() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a.b": 1, "a.c.d": 2, "e": 3}
