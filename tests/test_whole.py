"""The whole DAG on drawn data, in a clone: it runs once, and then only what changed runs again."""

import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline import params
from pipeline.artifacts import read_json, sha256, write_text
from tests.world.clone import ROOT, SECONDS, clean_environment, clone_of_head, dvc, stages_run

STAGES = list(params.read(ROOT / "dvc.yaml")["stages"])

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * SECONDS)]


@dataclass(slots=True, kw_only=True)
class Clone:
    """A clone of this repository's HEAD with small params, in which the DAG ran once."""

    folder: Path
    environment: dict[str, str]
    first: str
    """What that run printed."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The clone, after `dvc repro`; DVC's site cache goes into the test's own folder."""
    folder = tmp_path_factory.mktemp("whole") / "dsn-pose"
    clone_of_head(folder)
    params.use_preset(folder / "params.yaml", folder / "tests" / "world", "tiny")
    environment = clean_environment(site=folder.parent / "site")
    return Clone(folder=folder, environment=environment, first=dvc("repro", folder=folder, environment=environment))


def test_the_first_run_runs_every_stage_and_ends_with_a_page(clone: Clone) -> None:
    assert sorted(stages_run(clone.first)) == sorted(STAGES)
    assert list((clone.folder / "report").glob("*.html"))
    assert read_json(clone.folder / "registered.json")["version"] == "1"


def test_the_version_tells_which_code_data_params_and_machine_made_it(clone: Clone) -> None:
    tags = read_json(clone.folder / "registered.json")["tags"]
    head = ["git", "-C", str(clone.folder), "rev-parse", "HEAD"]
    sha = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
    shards = {f"data/shards/{split}": split for split in ("train", "select")}
    hashes = {path.as_posix(): md5 for path, md5 in params.outs(clone.folder / "dvc.lock").items()}

    assert (tags["git.sha"], tags["git.dirty"], tags["dvc.stage"]) == (sha, "false", "train")
    assert {name: tags[f"dvc.out.{split}"] for name, split in shards.items()} == {name: hashes[name] for name in shards}
    assert {tags[f"manifest.{split}"] for split in shards.values()} == {
        sha256(clone.folder / name / "manifest.json") for name in shards
    }
    assert json.loads(tags["config"])["train"]["steps"] == 4
    assert tags["config.sha256"] == hashlib.sha256(tags["config"].encode()).hexdigest()
    assert (tags["world"], tags["device"]) == ("2", "cpu")
    assert {"ray.job", "hardware", "version.python", "version.ray", "version.torch"} <= tags.keys()


def test_a_second_run_runs_nothing(clone: Clone) -> None:
    second = dvc("repro", folder=clone.folder, environment=clone.environment)

    assert "Data and pipelines are up to date." in second
    assert stages_run(second) == []


def test_git_sees_nothing_of_what_a_run_writes(clone: Clone) -> None:
    status = ["git", "-C", str(clone.folder), "status", "--porcelain"]
    changed = subprocess.run(status, capture_output=True, text=True, check=True).stdout.splitlines()

    assert {line[3:] for line in changed} <= {"dvc.lock", "params.yaml"}


def test_metrics_and_plots_can_be_shown(clone: Clone) -> None:
    metrics = dvc("metrics", "show", "--json", folder=clone.folder, environment=clone.environment)
    shown = dvc("plots", "show", "--out", "../plots", folder=clone.folder, environment=clone.environment)

    assert "evaluation/metrics.json" in metrics
    assert "index.html" in shown


def test_a_changed_number_of_the_report_runs_the_report_alone(clone: Clone) -> None:
    values = params.read(clone.folder / "params.yaml")
    key = next(key for key, value in values["report"].items() if type(value) is int)
    values["report"][key] += 1
    write_text(clone.folder / "params.yaml", json.dumps(values, indent=1))

    output = dvc("repro", folder=clone.folder, environment=clone.environment)

    assert stages_run(output) == ["report"]
