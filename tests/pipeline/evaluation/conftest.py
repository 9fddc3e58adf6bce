"""Small PoseTrack files that the tests of evaluation draw."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dsn.skeleton import POSETRACK
from pipeline.evaluation.poseval import score_folders

Json = dict[str, Any]
VIDEO = "000001_mpii_test"


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
