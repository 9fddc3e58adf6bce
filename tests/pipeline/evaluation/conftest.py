"""Small PoseTrack files that the tests of evaluation draw."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dsn.checkpoint import Loaded
from dsn.network import build, build_single_frame, start_from
from dsn.skeleton import POSETRACK
from pipeline.evaluation.poseval import score_folders

Json = dict[str, Any]
VIDEO = "000001_mpii_test"
CLIPS = importlib.import_module("tests.world.clips")


@pytest.fixture(scope="session")
def packed(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = CLIPS.pack(drawn_world, tmp_path_factory.mktemp("packed"))
    return folder


@pytest.fixture(scope="session")
def loaded() -> tuple[Loaded, Loaded]:
    """A DSN that starts from a single-frame network, and that network."""
    torch.manual_seed(0)
    config = CLIPS.model_config()
    single, dual = build_single_frame(config, POSETRACK), build(config, POSETRACK)
    start_from(dual, single)
    networks = (dual.eval(), single.eval())
    return tuple(Loaded(network=network, config=config, skeleton=POSETRACK) for network in networks)  # type: ignore[return-value]


@pytest.fixture
def person() -> Callable[..., Json]:
    """A PoseTrack18 annotation; the head box makes a head size of 30 pixels, and so a reach of 15."""

    def build(
        frame: int, joints: dict[str, tuple[float, float]], *, track: int = 0, score: float | None = None
    ) -> Json:
        keypoints = [(*joints[name], 1) if name in joints else (0, 0, 0) for name in POSETRACK.joints]
        annotation: Json = {
            "image_id": frame,
            "track_id": track,
            "keypoints": [value for keypoint in keypoints for value in keypoint],
        }
        return annotation | ({"bbox_head": [100, 100, 30, 40]} if score is None else {"scores": [score] * 17})

    return build


@pytest.fixture
def document() -> Callable[..., Json]:
    """A PoseTrack18 file with so many frames."""

    def build(frames: int, annotations: list[Json], **first_image: Any) -> Json:
        images = [{"id": frame, "file_name": f"images/val/{VIDEO}/{frame:06d}.jpg"} for frame in range(frames)]
        if images:
            images[0] |= first_image
        categories = [{"name": "person", "keypoints": list(POSETRACK.joints)}]
        return {"images": images, "annotations": annotations, "categories": categories}

    return build


@pytest.fixture
def scored(tmp_path: Path) -> Callable[..., Json]:
    """The result of one file against another."""

    def score(truth: Json, prediction: Json) -> Json:
        for side, content in (("gt", truth), ("pred", prediction)):
            (tmp_path / side).mkdir(exist_ok=True)
            (tmp_path / side / f"{VIDEO}.json").write_text(json.dumps(content))
        return score_folders(tmp_path / "gt", tmp_path / "pred")

    return score


@pytest.fixture
def full_pose() -> dict[str, tuple[float, float]]:
    """All 15 joints, 40 pixels apart."""
    return {POSETRACK.joints[channel]: (50.0 + 40 * channel, 200.0) for channel in POSETRACK.scored}
