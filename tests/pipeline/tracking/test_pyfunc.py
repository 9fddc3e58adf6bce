"""A registered version as MLflow's own loader gives it."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from mlflow import pyfunc

from dsn.checkpoint import load
from pipeline.evaluation.predict import heatmaps, locate, read
from pipeline.refusal import Refusal
from pipeline.shards.crop import region, upright, warp
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
