"""A registered version as MLflow's own loader gives it."""

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from mlflow import pyfunc
from mlflow.artifacts import download_artifacts

from dsn.checkpoint import load
from pipeline.evaluation.predict import heatmaps, locate, read
from pipeline.refusal import Refusal
from pipeline.shards.crop import region, upright, warp
from pipeline.tracking import download
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.package import example
from pipeline.tracking.registry import Version, point
from pipeline.tracking.server import connect

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning", "ignore::UserWarning")

Add = Callable[[], Version]


@pytest.fixture
def uri(tracking: TrackingConfig, version: Add, monkeypatch: pytest.MonkeyPatch) -> str:
    """A champion's, where MLflow's own client looks for it."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tracking.uri))
    point(tracking, alias="champion", version=version().version)
    return f"models:/{tracking.model}@champion"


def clip(people: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    corners = rng.uniform(0, 50, (people, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(20, 40, (people, 2))], axis=1)
    frames = rng.integers(0, 256, (5, 90, 120, 3), dtype=np.uint8)
    return {"frames": frames, "boxes": boxes.astype(np.float32)}


def test_raw_frames_and_bboxes_give_the_networks_keypoints_in_pixels_of_the_frames(uri: str, model: Path) -> None:
    given, loaded = clip(2), load(model)
    found = pyfunc.load_model(uri).predict(given)

    size = loaded.config.input_size
    affines = [upright(region((x1, y1, x2, y2), size=size), size=size) for x1, y1, x2, y2 in given["boxes"].tolist()]
    crops = np.stack([[warp(frame, affine, size=size) for frame in given["frames"]] for affine in affines])
    maps = heatmaps(read(loaded.network, torch.from_numpy(crops).permute(0, 1, 4, 2, 3), model=loaded.config), "final")
    wanted = locate(maps, torch.from_numpy(np.stack(affines)).float(), model=loaded.config)
    assert found["keypoints"].dtype == found["scores"].dtype == np.float32
    np.testing.assert_allclose(found["keypoints"], wanted.keypoints, atol=1e-3)
    np.testing.assert_allclose(found["scores"], wanted.scores, atol=1e-5)


def test_many_people_and_nobody_are_answered(uri: str) -> None:
    network = pyfunc.load_model(uri)

    assert network.predict(clip(40))["keypoints"].shape == (40, 17, 2)
    assert network.predict(clip(0))["keypoints"].shape == (0, 17, 2)


def test_the_input_example_is_one_that_the_model_answers(uri: str) -> None:
    network = pyfunc.load_model(uri)

    assert network.input_example.keys() == {"frames", "boxes"}
    assert network.predict(example(frames=5))["scores"].shape == (2, 17)


@pytest.mark.parametrize("boxes", [[[4, 4, 4, 9]], [[4, 9, 8, 9]], [[0, 0, np.nan, 5]]])
def test_a_bbox_without_area_is_refused(uri: str, boxes: list[list[float]]) -> None:
    given = clip(1) | {"boxes": np.array(boxes, dtype=np.float32)}

    with pytest.raises(ValueError, match=r"boxes: got \[.*wanted x1 < x2 and y1 < y2"):
        pyfunc.load_model(uri).predict(given)


def stored(tracking: TrackingConfig) -> Path:
    client = connect(tracking)
    run_id = client.get_model_version_by_alias(tracking.model, "champion").run_id
    return Path(urlsplit(client.get_run(str(run_id)).info.artifact_uri).path, "package", "data", "model")


def test_mlflow_too_loads_no_weights_that_were_changed(uri: str, tracking: TrackingConfig) -> None:
    weights = stored(tracking) / "network.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)

    with pytest.raises(Refusal, match=r"version 1: network\.safetensors: got sha256"):
        pyfunc.load_model(uri)


def test_mlflow_too_opens_no_pickle(uri: str, tracking: TrackingConfig) -> None:
    torch.save({"weights": torch.zeros(3)}, stored(tracking) / "network.safetensors")

    with pytest.raises(Refusal, match=r"version 1: network\.safetensors: got sha256"):
        pyfunc.load_model(uri)


def test_what_a_local_store_holds_is_read_where_it_is(
    uri: str, tracking: TrackingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    pyfunc.load_model(uri).predict(clip(1))

    assert [path for path in temporary.rglob("*") if path.suffix == ".safetensors"] == []
    assert (stored(tracking).parents[1] / "registered_model_meta").is_file()


def test_a_version_that_was_registered_by_its_runs_address_still_loads(uri: str, tracking: TrackingConfig) -> None:
    client = connect(tracking)
    first = client.get_model_version_by_alias(tracking.model, "champion")
    older = client.create_model_version(
        tracking.model, f"runs:/{first.run_id}/package", first.run_id, tags=dict(first.tags)
    )

    found = pyfunc.load_model(f"models:/{tracking.model}/{older.version}").predict(clip(1))

    np.testing.assert_array_equal(found["scores"], pyfunc.load_model(uri).predict(clip(1))["scores"])


def test_a_copy_that_the_registry_in_force_does_not_know_is_refused_until_its_note_is_deleted(
    uri: str, tracking: TrackingConfig, tmp_path: Path
) -> None:
    copy = Path(download_artifacts(uri, dst_path=str(tmp_path / "copy")))
    connect(tracking).delete_model_version(tracking.model, "1")

    wanted = f"registered_model_meta: got {tracking.model} version 1, of which the registry in force does not tell"
    with pytest.raises(Refusal, match=wanted):
        pyfunc.load_model(str(copy))

    (copy / "registered_model_meta").unlink()
    assert pyfunc.load_model(str(copy)).predict(clip(1))["scores"].shape == (1, 17)


def test_a_note_that_another_process_is_writing_is_waited_for(uri: str, tracking: TrackingConfig) -> None:
    pyfunc.load_model(uri)
    weights = stored(tracking)
    note = weights.parents[1] / "registered_model_meta"
    text = note.read_text()
    note.write_text("")
    writer = threading.Timer(3 * download.PAUSE_SECONDS, note.write_text, [text])
    writer.start()

    download.verify_fetched(weights)

    writer.join()
    (weights / "planted.pkl").write_bytes(b"planted")
    with pytest.raises(Refusal, match=r"version 1: the file planted\.pkl was added"):
        download.verify_fetched(weights)


def test_a_note_that_stays_empty_says_nothing_and_nothing_is_opened(
    uri: str, tracking: TrackingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyfunc.load_model(uri)
    monkeypatch.setattr(download, "PAUSES", 2)
    (stored(tracking).parents[1] / "registered_model_meta").write_text("")

    with pytest.raises(Refusal, match="registered_model_meta: got an empty file, wanted the version"):
        download.verify_fetched(stored(tracking))
