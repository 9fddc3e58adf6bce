import json
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pipeline.artifacts import sha256
from pipeline.refusal import Refusal
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.contents import DIGESTS, digests
from pipeline.tracking.registration import TRAINED_BY, register
from pipeline.tracking.registry import Version, find
from pipeline.tracking.server import connect

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

ROOT = Path(__file__).parents[3]


def add(tracking: TrackingConfig, model: Path, run_id: str) -> Version:
    return register(tracking, model, run_id=run_id, tags={"data.train": "d1"}, card="# card", alias="candidate")


def versions(tracking: TrackingConfig) -> list[str]:
    found = connect(tracking).search_model_versions(f"name = '{tracking.model}'")
    return sorted(str(version.version) for version in found)


def test_a_version_carries_its_run_its_tags_its_card_and_the_digest_of_every_file(
    tracking: TrackingConfig, model: Path, trained: Callable[[], str]
) -> None:
    run_id = trained()

    version = add(tracking, model, run_id)

    client = connect(tracking)
    stored = Path(urlsplit(client.get_run(run_id).info.artifact_uri).path, "package")
    assert (version.name, version.version, version.run_id) == (tracking.model, "1", run_id)
    assert version.tags == {
        "data.train": "d1",
        "sha256": sha256(model / "network.safetensors"),
        DIGESTS: json.dumps(digests(stored), sort_keys=True),
        TRAINED_BY: run_id,
    }
    assert client.get_model_version(tracking.model, "1").description == "# card"
    assert find(tracking, alias="candidate") == version


def test_no_registered_file_is_a_pickle_and_none_names_a_place_of_this_machine(
    tracking: TrackingConfig, model: Path, trained: Callable[[], str]
) -> None:
    version = add(tracking, model, trained())

    names = set(json.loads(version.tags[DIGESTS]))
    stored = Path(urlsplit(connect(tracking).get_run(version.run_id).info.artifact_uri).path, "package")
    assert {name for name in names if not name.endswith((".json", ".yaml", ".txt"))} == {
        "MLmodel",
        "data/model/network.safetensors",
        "data/model/raw.safetensors",
    }
    texts = [path.read_text() for path in stored.rglob("*") if path.is_file() and path.suffix != ".safetensors"]
    assert not [text for text in texts if str(ROOT) in text or str(Path.home()) in text]
    assert not [text for text in texts if "pickle" in text]


def test_a_run_is_registered_once(tracking: TrackingConfig, model: Path, trained: Callable[[], str]) -> None:
    run_id = trained()

    first, second = (add(tracking, model, run_id) for _ in range(2))

    assert first == second
    assert versions(tracking) == ["1"]


def test_a_version_without_digests_is_removed_and_made_anew(
    tracking: TrackingConfig, model: Path, trained: Callable[[], str]
) -> None:
    client, run_id = connect(tracking), trained()
    client.create_registered_model(tracking.model)
    client.create_model_version(tracking.model, f"runs:/{run_id}/package", run_id)

    version = add(tracking, model, run_id)

    assert versions(tracking) == ["2"]
    assert version.version == "2"


def test_a_run_that_the_server_does_not_know_is_stood_in_for_once(tracking: TrackingConfig, model: Path) -> None:
    gone = "0" * 32

    first, second = (add(tracking, model, gone) for _ in range(2))

    assert first == second
    assert first.tags[TRAINED_BY] == gone
    assert connect(tracking).get_run(first.run_id).data.tags[TRAINED_BY] == gone


def test_a_model_that_training_did_not_finish_is_refused(tracking: TrackingConfig, model: Path) -> None:
    (model / "raw.safetensors").unlink()

    with pytest.raises(Refusal, match=r"raw\.safetensors: no such file, wanted what training leaves"):
        add(tracking, model, "0" * 32)


def test_a_store_that_cannot_be_written_is_refused_and_leaves_no_version(
    tracking: TrackingConfig, model: Path, trained: Callable[[], str]
) -> None:
    run_id = trained()
    folder = Path(urlsplit(connect(tracking).get_run(run_id).info.artifact_uri).path)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file stands where the folder of the run's files should be")

    with pytest.raises(Refusal, match=r"its files could not be stored by sqlite.*so no version was made"):
        add(tracking, model, run_id)

    assert versions(tracking) == []
    folder.unlink()
    assert add(tracking, model, run_id).version == "1"


def test_a_store_that_is_full_is_refused_and_leaves_no_version(
    tracking: TrackingConfig, model: Path, trained: Callable[[], str]
) -> None:
    run_id = trained()
    (model / "raw.safetensors").write_bytes(bytes(6_000_000))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, before[1]))
    try:
        with pytest.raises(Refusal, match=r"could not be stored .*File too large.*no version was made"):
            add(tracking, model, run_id)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert versions(tracking) == []
    assert add(tracking, model, run_id).version == "1"


STORE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from mlflow.tracking import MlflowClient
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registration import register
uri, name, model, run_id, when = sys.argv[1:]
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(MlflowClient, when, die)
config = TrackingConfig(uri=uri, experiment="tests", model=name)
register(config, Path(model), run_id=run_id, tags={}, card="", alias="candidate")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("when", "left"), [("create_model_version", []), ("set_registered_model_alias", ["1"])], ids=["stored", "versioned"]
)
def test_a_registration_killed_midway_is_completed_by_the_next(
    tracking: TrackingConfig, model: Path, trained: Callable[[], str], *, when: str, left: list[str]
) -> None:
    run_id = trained()
    arguments = [str(tracking.uri), tracking.model, str(model), run_id, when]

    killed = subprocess.run([sys.executable, "-c", STORE_AND_DIE, *arguments], cwd=ROOT, check=False)

    assert killed.returncode == -signal.SIGKILL
    assert versions(tracking) == left
    assert find(tracking, alias="candidate") is None
    version = add(tracking, model, run_id)
    assert versions(tracking) == [version.version] == ["1"]
    assert find(tracking, alias="candidate") == version
