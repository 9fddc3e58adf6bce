"""The doctor finds what would break a run, before it runs."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline import params
from pipeline.artifacts import write_text
from pipeline.cluster import own_cpus
from pipeline.doctor import Finding, examine
from pipeline.refusal import Refusal
from pipeline.sections import check_params

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


@pytest.fixture
def values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The default params, to be changed; the working folder is a project's root without an environment."""
    shutil.copyfile(ROOT / "dvc.yaml", tmp_path / "dvc.yaml")
    monkeypatch.chdir(tmp_path)
    for name in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return params.read(ROOT / "params.yaml")


def findings(values: dict[str, Any]) -> dict[str, Finding]:
    write_text(Path("params.yaml"), json.dumps(values))
    return {finding.what: finding for finding in examine()}


def blocking(values: dict[str, Any]) -> dict[str, str]:
    return {what: finding.detail for what, finding in findings(values).items() if finding.state == "blocks"}


def test_the_default_has_nothing_that_blocks(values: dict[str, Any]) -> None:
    found = findings(values)

    assert [what for what, finding in found.items() if finding.state == "blocks"] == []
    assert found["data"].detail == "data/drawn is what a stage of the pipeline makes"
    assert found["torch"].detail.startswith("torch 2.")


@pytest.mark.parametrize(
    "section",
    [name for name, value in params.read(ROOT / "params.yaml").items() if isinstance(value, dict)],
)
def test_an_unknown_key_in_any_section_is_named(section: str, values: dict[str, Any]) -> None:
    values[section]["sped"] = 1
    write_text(Path("params.yaml"), json.dumps(values))

    with pytest.raises(Refusal, match=rf"{section}\.sped is not a known key"):
        check_params(Path("params.yaml"))


def test_fewer_shards_than_readers_need_are_refused_before_any_are_packed(values: dict[str, Any]) -> None:
    values["reader"]["workers"] = 3

    told = r"shard\.min_shards: got 8 shards, wanted at least 24 = 4 x 2 ranks \(cluster\.workers\) x 3 that read"
    assert re.search(told, blocking(values)["params"])


def test_an_unknown_section_blocks_and_is_named_with_the_closest_known_one(values: dict[str, Any]) -> None:
    values["trian"] = {}

    assert "section `trian` is not known (did you mean `train`?)" in blocking(values)["params"]


def test_a_missing_dataset_is_named(values: dict[str, Any]) -> None:
    values["data"]["root"] = "elsewhere"

    detail = blocking(values)["data"]

    assert detail.startswith("elsewhere: no such folder; wanted")
    assert "data.root" in detail


def test_a_root_that_would_end_the_quotes_of_the_stages_commands_is_refused(values: dict[str, Any]) -> None:
    values["data"]["root"] = "John's data"

    assert "data: root: got John's data, wanted a path without '" in blocking(values)["params"]


def test_a_server_that_does_not_answer_is_named_and_one_with_credentials_in_its_address_without_them(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert "tracking server http://127.0.0.1:9 does not answer" in blocking(values)["tracking"]

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    detail = blocking(values)["tracking"]
    assert "got http://127.0.0.1:9 with credentials" in detail
    assert "secret" not in detail


def test_storage_that_cannot_be_written_is_named(values: dict[str, Any]) -> None:
    values["cluster"]["storage"] = "dvc.yaml/runs"

    assert "cluster.storage dvc.yaml/runs cannot be written" in blocking(values)["storage"]


def test_a_cluster_that_does_not_answer_is_named(values: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")

    assert "RAY_ADDRESS 127.0.0.1:9 does not answer" in blocking(values)["ray"]


def test_more_gpus_than_there_are_is_named(values: dict[str, Any]) -> None:
    values["cluster"] |= {"gpus_per_worker": 1, "workers": 16}

    assert "wanted 16 for cluster.workers" in blocking(values)["gpus"]


def test_more_cpus_than_there_are_is_named_with_what_each_worker_can_have(values: dict[str, Any]) -> None:
    values["cluster"]["cpus_per_worker"] = own_cpus()

    finding = findings(values)["cpus"]

    assert finding.state == "blocks"
    assert finding.detail == f"got {own_cpus()} CPUs here, wanted {2 * own_cpus()} for cluster.workers"
    values["cluster"]["cpus_per_worker"] = float(finding.repair.removeprefix("set cluster.cpus_per_worker to "))
    assert findings(values)["cpus"].state == "ok"


def test_workers_that_training_can_do_without_are_not_asked_of_this_machine(values: dict[str, Any]) -> None:
    values["cluster"] |= {"workers": 2, "min_workers": 1, "cpus_per_worker": own_cpus()}

    assert findings(values)["cpus"].state == "ok"
