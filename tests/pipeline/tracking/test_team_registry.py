"""The registry of a team: MLflow on PostgreSQL, files on S3, users with passwords; forbidden, denied and killed."""

import json
import os
import shutil
import subprocess
import sys
import traceback
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import boto3
import numpy as np
import pytest
import torch
from mlflow import pyfunc
from mlflow.artifacts import download_artifacts
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
from mlflow.tracking import MlflowClient

from dsn.checkpoint import load
from pipeline import params
from pipeline.refusal import Refusal
from pipeline.release import origin
from pipeline.release.gate import GateConfig
from pipeline.release.promotion import promote, rollback
from pipeline.report.inputs import Sources
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.lineage import provenance
from pipeline.tracking.models import load_model
from pipeline.tracking.package import example
from pipeline.tracking.registration import register
from pipeline.tracking.registry import Version, changed_files, find
from pipeline.tracking.runs import start_run
from stages import promote as promote_stage
from stages import register as register_stage
from stages import report as report_stage
from tests.world.registry import metrics
from tests.world.reported import YARDSTICK, drawn, sources
from tests.world.s3 import BUCKET
from tests.world.team import PASSWORD, Killing, Team, create_user, log_in, team, tracking

__all__ = ["drawn", "sources", "team", "tracking"]

ROOT = Path(__file__).parents[3]
LIMITS = GateConfig(floor_ap=0.0, max_ap_loss=1.0, max_retention_loss=1.0, max_slowdown=100.0, draws=10, seed=0)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def add(tracking: TrackingConfig, model: Path, run_id: str) -> Version:
    return register(tracking, model, run_id=run_id, tags={"data.train": "d1"}, card="# card", alias="candidate")


def versions(tracking: TrackingConfig) -> list[str]:
    found = MlflowClient(tracking.uri).search_model_versions(f"name = '{tracking.model}'")
    return sorted(str(version.version) for version in found)


def test_a_version_is_registered_promoted_rolled_back_and_loaded_by_its_alias(
    tracking: TrackingConfig, model: Path, trained: Callable[[], str]
) -> None:
    for ap in (50.0, 60.0):
        assert promote(tracking, LIMITS, version=add(tracking, model, trained()), **metrics(ap))["promoted"]

    assert rollback(tracking) == "version 1 is champion again in place of version 2"
    champion = f"models:/{tracking.model}@champion"
    found, wanted = load_model(champion, tracking).network.state_dict(), load(model).network.state_dict()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    answers = [pyfunc.load_model(uri).predict(example(frames=5)) for uri in (champion, f"models:/{tracking.model}/2")]
    np.testing.assert_array_equal(answers[0]["keypoints"], answers[1]["keypoints"])


def test_files_lie_on_s3(tracking: TrackingConfig, model: Path, trained: Callable[[], str]) -> None:
    version = add(tracking, model, trained())

    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="mlflow/")
    keys = [entry["Key"] for page in pages for entry in page["Contents"] if version.run_id in entry["Key"]]
    assert [key for key in keys if key.endswith("package/data/model/network.safetensors")]
    body = boto3.client("s3").get_object(
        Bucket=BUCKET, Key=next(key for key in keys if key.endswith("network.safetensors"))
    )["Body"]
    assert body.read() == (model / "network.safetensors").read_bytes()


@pytest.mark.parametrize("user", ["admin", "nobody"])
def test_a_wrong_password_is_refused_in_one_line_that_does_not_show_it(
    tracking: TrackingConfig, monkeypatch: pytest.MonkeyPatch, *, user: str
) -> None:
    log_in(monkeypatch, user, "wrong-as-can-be")

    with pytest.raises(Refusal) as refusal:
        find(tracking, alias="champion")

    assert str(refusal.value) == (
        f"tracking server {tracking.uri} does not know user {user} by the password given; "
        "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to those of a user who may do it"
    )
    assert "wrong-as-can-be" not in "".join(traceback.format_exception(refusal.value))


def test_without_a_user_the_server_lets_nobody_in(tracking: TrackingConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD")

    with pytest.raises(Refusal, match="asks for a user and a password; set MLFLOW_TRACKING_USERNAME"):
        start_run(tracking, "train", tags={})


def test_who_may_read_may_load_and_nothing_else(
    team: Team, tracking: TrackingConfig, model: Path, trained: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    added, run_id = add(tracking, model, trained()), trained()
    create_user(team.server, "reader", "reads-and-no-more")
    log_in(monkeypatch, "reader", "reads-and-no-more")

    assert load_model(f"models:/{tracking.model}@candidate", tracking).skeleton == load(model).skeleton
    refused = r"forbids this to user reader \(.*Permission denied.*\); set MLFLOW|could not be stored by .*403"
    for change in (
        lambda: add(tracking, model, run_id),
        lambda: promote(tracking, LIMITS, version=added, **metrics(50.0)),
        lambda: start_run(tracking, "train", tags={}),
    ):
        with pytest.raises(Refusal, match=refused):
            change()
    assert find(tracking, alias="champion") is None


@pytest.mark.parametrize(
    ("owner", "name", "call", "left"),
    [
        (HttpArtifactRepository, "log_artifact", 5, []),
        (MlflowClient, "create_model_version", 1, []),
        (MlflowClient, "set_registered_model_alias", 1, ["1"]),
    ],
    ids=["storing", "stored", "versioned"],
)
def test_a_registration_whose_server_is_killed_is_completed_by_the_next(
    team: Team,
    tracking: TrackingConfig,
    model: Path,
    trained: Callable[[], str],
    *,
    owner: type,
    name: str,
    call: int,
    left: list[str],
) -> None:
    run_id = trained()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, Killing(getattr(owner, name), team, call=call))
        with pytest.raises(Refusal, match=r"could not be stored by http|went away or failed in the middle") as refusal:
            add(tracking, model, run_id)

    assert "\n" not in str(refusal.value)
    team.server.start()
    team.server.wait()
    assert versions(tracking) == left
    assert find(tracking, alias="candidate") is None
    version = add(tracking, model, run_id)
    assert versions(tracking) == [version.version] == ["1"]
    assert find(tracking, alias="candidate") == version
    load_model(f"models:/{tracking.model}@candidate", tracking)


REGISTER = """
import sys
from pathlib import Path
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registration import register
uri, name, model, run_id = sys.argv[1:]
config = TrackingConfig(uri=uri, experiment="tests", model=name)
print(register(config, Path(model), run_id=run_id, tags={}, card="", alias="candidate").version)
"""


def test_two_hosts_that_register_one_run_at_once_make_one_version(
    tracking: TrackingConfig, model: Path, trained: Callable[[], str], tmp_path: Path
) -> None:
    command = [sys.executable, "-c", REGISTER, str(tracking.uri), tracking.model, str(model), trained()]
    started = []
    for host in ("one", "two"):  # whose folders for temporary files, and so the locks, are not the same
        (tmp_path / host).mkdir()
        environment = os.environ | {"TMPDIR": str(tmp_path / host)}
        started.append(
            subprocess.Popen(
                command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        )

    told = [process.communicate()[0] for process in started]

    assert [process.returncode for process in started] == [0, 0], told
    [left] = versions(tracking)
    assert [text.split()[-1] for text in told] == [left, left]
    candidate = find(tracking, alias="candidate")
    assert candidate is not None
    assert candidate.version == left
    assert list(changed_files(tracking, version=candidate)) == []


def test_a_store_that_denies_is_refused_and_leaves_no_version(
    team: Team, tracking: TrackingConfig, model: Path, trained: Callable[[], str]
) -> None:
    run_id = trained()
    team.store.deny()
    try:
        with pytest.raises(Refusal, match=r"its files could not be stored by http.*so no version was made"):
            add(tracking, model, run_id)
    finally:
        team.store.allow()

    assert versions(tracking) == []
    assert add(tracking, model, run_id).version == "1"
    team.store.deny()
    try:
        with pytest.raises(Refusal, match=r"version 1: its files could not be fetched from http"):
            load_model(f"models:/{tracking.model}@candidate", tracking)
    finally:
        team.store.allow()


def test_the_password_is_in_nothing_that_is_kept_or_said(
    team: Team,
    model: Path,
    sources: Sources,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(ROOT / "params.yaml", "params.yaml")
    tracking = params.load(Path("params.yaml"), "tracking", into=TrackingConfig)
    tags = provenance({"train": b"{}"}, config=params.read(Path("params.yaml")), shards="shards")
    run = start_run(tracking, "train", tags=tags)
    run.log_params({"train": {"steps": 1}})
    run.log_file(Path("params.yaml"), folder="")
    run.finish()
    best = {"step": 1.0, "select/pck_final": 50.0}
    told = {"run_id": run.run_id, "name": "dual-abc", "samples": 1, "best": best, "yardstick": YARDSTICK, "tags": tags}
    for name, content in {"run": told, **metrics(50.0)}.items():
        Path(f"{name}.json").write_text(json.dumps(content))

    register_stage.main(model, Path("run.json"), Path("registered.json"))
    promote_stage.main(*(Path(f"{name}.json") for name in ("registered", "evaluation", "stress", "promotion")))
    for place in (sources.train / "run.json", sources.registered, sources.promotion):
        shutil.copyfile(place.name, place)
    report_stage.main(sources, Path("report"))

    client = MlflowClient(team.server.uri)
    champion = client.get_model_version_by_alias(tracking.model, "champion")
    download_artifacts(run_id=run.run_id, dst_path="downloaded")
    printed = capfd.readouterr()
    texts = [
        *(str(dict(entity)) for entity in (champion, client.get_run(run.run_id).data, client.get_run(run.run_id).info)),
        origin.told(tracking, "champion"),
        *(printed.out, printed.err, caplog.text, team.server.log.read_text()),
        *(path.read_bytes().decode(errors="replace") for path in tmp_path.rglob("*") if path.is_file()),
    ]
    assert "dsn-pose" in texts[0]
    assert run.run_id in Path("report/index.html").read_text()
    for secret in (PASSWORD, b64encode(f"admin:{PASSWORD}".encode()).decode()):
        assert not [text for text in texts if secret in text]
