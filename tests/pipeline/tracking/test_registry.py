import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pipeline.refusal import Refusal
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.outbox import one_line
from pipeline.tracking.registry import Version, fetched, find, point, tag
from pipeline.tracking.server import connect

Add = Callable[[], Version]

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


def test_the_candidate_is_the_version_registered_last(tracking: TrackingConfig, version: Add) -> None:
    first, second = version(), version()

    candidate = find(tracking, alias="candidate")

    assert (first.version, second.version) == ("1", "2")
    assert candidate is not None
    assert candidate.version == "2"


def test_an_alias_moves_and_an_unknown_one_points_at_nothing(tracking: TrackingConfig, version: Add) -> None:
    first, second = version(), version()
    point(tracking, alias="champion", version=second.version)
    point(tracking, alias="champion", version=first.version)

    assert find(tracking, alias="champion") == first
    assert find(tracking, alias="previous") is None


def test_a_model_that_was_never_registered_has_no_alias(tracking: TrackingConfig) -> None:
    assert find(tracking, alias="champion") is None


def test_tags_are_added_to_a_version(tracking: TrackingConfig, version: Add) -> None:
    added = version()

    tag(tracking, version=added.version, tags={"gate.ap": "51.5"})

    found = find(tracking, alias="candidate")
    assert found is not None
    assert found.tags == added.tags | {"gate.ap": "51.5"}


def test_the_files_of_a_versions_network_are_those_that_were_registered(
    tracking: TrackingConfig, version: Add, model: Path
) -> None:
    with fetched(tracking, version=version()) as folder:
        found = {path.name: path.read_bytes() for path in folder.iterdir()}

    crop = found.pop("crop.json")
    assert found == {path.name: path.read_bytes() for path in model.iterdir()}
    assert json.loads(crop) == {"padding": 1.25, "size": [64, 48], "colours": "RGB"}
    assert not folder.exists()


def stored(tracking: TrackingConfig, version: Version) -> Path:
    """Where a version's network lies in the artifact store."""
    return Path(urlsplit(connect(tracking).get_run(version.run_id).info.artifact_uri).path, "package", "data", "model")


def test_weights_changed_after_registration_are_refused(tracking: TrackingConfig, version: Add) -> None:
    added = version()
    (stored(tracking, added) / "network.safetensors").write_bytes(b"tampered")

    with (
        pytest.raises(Refusal, match=rf"version 1: network\.safetensors: got sha256 .*, wanted {added.tags['sha256']}"),
        fetched(tracking, version=added),
    ):
        pass


def test_a_file_planted_after_registration_is_refused(tracking: TrackingConfig, version: Add) -> None:
    added = version()
    (stored(tracking, added) / "python_model.pkl").write_bytes(b"planted")

    with (
        pytest.raises(Refusal, match=r"version 1: the file python_model\.pkl was added after registration"),
        fetched(tracking, version=added),
    ):
        pass


def test_a_file_taken_away_after_registration_is_refused(tracking: TrackingConfig, version: Add) -> None:
    added = version()
    (stored(tracking, added) / "skeleton.json").unlink()

    with (
        pytest.raises(Refusal, match=r"version 1: the file skeleton\.json is missing"),
        fetched(tracking, version=added),
    ):
        pass


def test_a_server_that_does_not_answer_is_refused(tracking: TrackingConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")

    with pytest.raises(Refusal, match=r"tracking server http://127.0.0.1:9 does not answer"):
        find(tracking, alias="champion")


def test_a_password_in_an_address_is_refused_without_being_shown(
    tracking: TrackingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")

    with pytest.raises(
        Refusal, match=r"got http://127.0.0.1:9 with credentials, .*MLFLOW_TRACKING_PASSWORD"
    ) as refusal:
        find(tracking, alias="champion")

    assert "secret" not in str(refusal.value)


def test_a_password_in_params_is_refused_without_being_shown(tracking: TrackingConfig) -> None:
    with pytest.raises(ValueError, match=r"uri: got https://mlflow\.example with credentials, wanted none") as refusal:
        replace(tracking, uri="https://user:secret@mlflow.example")

    assert "secret" not in str(refusal.value)


def test_an_error_is_told_in_a_line_without_credentials() -> None:
    error = OSError("403 for\nhttp://user:secret@host/path and postgresql://me:secret@/db")

    assert one_line(error) == "403 for http://host/path and postgresql:///db"


def test_a_database_in_no_folder_is_refused(tracking: TrackingConfig, tmp_path: Path) -> None:
    absent = replace(tracking, uri=f"sqlite:///{tmp_path}/absent/mlflow.db")

    with pytest.raises(Refusal, match="its folder does not exist"):
        find(absent, alias="champion")
