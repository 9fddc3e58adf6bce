"""Labels: where a person's joints are in a frame, and which of them can be seen."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy.typing import NDArray

from dsn.skeleton import POSETRACK
from pipeline.drawn.body import Body
from pipeline.drawn.camera import Camera
from pipeline.drawn.head import BEHIND, RADII

FEWEST_JOINTS = 3
"""People with fewer visible joints are not annotated."""
AROUND = 1.26
"""Size of the head's ellipsoid, with hair and throat, against the skull's: an upright head's bbox then has a diagonal
of about 1.42 times upper neck to top of head, which is what the head bboxes of real PoseTrack18 files have."""
DISC = np.array([(0.0, 0.0), *((r * np.cos(a), r * np.sin(a)) for r in (0.5, 1.0) for a in np.arange(8) * np.pi / 4)])
"""Points of a disc of radius 1, where it is looked whether a joint is covered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One person's joints and head box in every frame of a video."""

    keypoints: Float[NDArray[np.float64], "F K 2"]
    """Pixels (x, y) in the order of the PoseTrack skeleton; NaN for joints that are never labelled."""
    nose_ahead: Bool[NDArray[np.bool_], " F"]
    """Whether the nose is not hidden by the head itself."""
    head_bbox: Float[NDArray[np.float64], "F 4"]
    """(x1, y1, x2, y2) around the head."""
    patience: Float[NDArray[np.float64], " K"]
    """How much of the surroundings of a joint may be covered until it stays unlabelled; above 1, never."""


def track(body: Body, *, camera: Camera, head_length: float, rng: np.random.Generator) -> Track:
    """Project a body's joints; instants of `body` and `camera` are the frames."""
    count = len(camera.focal)
    unknown = np.full((count, 2), np.nan)
    keypoints = [
        camera.project(camera.view(body.points[name])) if name in body.points else unknown for name in POSETRACK.joints
    ]
    middle = camera.view(body.points["head"])
    forward = np.einsum("tij,tj->ti", camera.rotation, body.head[:, 2])
    sight = middle / np.linalg.norm(middle, axis=1, keepdims=True)
    return Track(
        keypoints=np.stack(keypoints, axis=1),
        nose_ahead=np.sum(forward * sight, axis=1) < BEHIND,
        head_bbox=_head_bbox(body, camera=camera, head_length=head_length),
        patience=rng.uniform(0.55, 1.1, len(POSETRACK.joints)),
    )


def _head_bbox(body: Body, *, camera: Camera, head_length: float) -> Float[NDArray[np.float64], "F 4"]:
    """The extent of an ellipsoid around the skull, from its half axes in the image."""
    middle = camera.view(body.points["head"])
    axes = np.einsum("tij,tkj->tki", camera.rotation, body.head) * (AROUND * RADII * head_length)[:, None]
    reach = np.linalg.norm(axes[..., :2], axis=1) * camera.scale(middle)[:, None]
    center = camera.project(middle)
    return np.concatenate([center - reach, center + reach], axis=1)


def labelled(
    track_: Track, frame: int, *, ranks: UInt8[NDArray[np.uint8], "H W"], rank: int
) -> Bool[NDArray[np.bool_], " K"]:
    """Which joints are labelled in a frame: inside the image, and not hidden behind something nearer.

    Args:
        track_: the person.
        frame: position of the frame.
        ranks: which layer is seen at each pixel (`render.paint_ranks`).
        rank: the person's own.
    """
    keypoints = track_.keypoints[frame]
    height, width = ranks.shape
    inside = ((keypoints >= 0) & (keypoints <= np.array([width - 1, height - 1]))).all(axis=1)
    covered = _covered(np.nan_to_num(keypoints), ranks, rank=rank, radius=_head_size(track_, frame) * 0.15)
    seen = inside & (covered < track_.patience)
    seen[POSETRACK.joints.index("nose")] &= track_.nose_ahead[frame]
    return np.asarray(seen)


def _head_size(track_: Track, frame: int) -> float:
    x1, y1, x2, y2 = track_.head_bbox[frame]
    return float(np.hypot(x2 - x1, y2 - y1))


def _covered(
    keypoints: NDArray[np.float64], ranks: NDArray[np.uint8], *, rank: int, radius: float
) -> Float[NDArray[np.float64], " K"]:
    """The share of a disc around each joint that something nearer covers."""
    points = np.rint(keypoints[:, None] + radius * DISC).astype(int)
    x, y = np.clip(points[..., 0], 0, ranks.shape[1] - 1), np.clip(points[..., 1], 0, ranks.shape[0] - 1)
    return np.asarray((ranks[y, x] > rank).mean(axis=1))
