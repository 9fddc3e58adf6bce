"""The exact JSON of PoseTrack18 for what was drawn."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from dsn.skeleton import POSETRACK

SOURCE = "mpii"
SOURCE_NUMBER = 1
"""How PoseTrack writes the source of a video into its frames' ids: mpii 1, bonn 2, mpiinew 3."""
GROWTH = 0.15
"""PoseTrack's boxes are the extent of the labelled keypoints, grown by this share on each side."""
COCO_SKELETON = (
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9), (8, 10), (9, 11),
    (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip
"""Copied into every PoseTrack18 file, 1-based; nothing reads it."""


def video_name(number: int, split: str) -> str:
    """The file stem of a video; PoseTrack's validation videos carry `_test`."""
    return f"{number:06d}_{SOURCE}_{'train' if split == 'train' else 'test'}"


def frame_id(number: int, frame: int) -> int:
    """PoseTrack18's id of a frame: source, video and frame in one number beyond 32 bits."""
    return SOURCE_NUMBER * 10**10 + number * 10**4 + frame


def categories() -> list[dict[str, Any]]:
    """The one category."""
    return [
        {
            "supercategory": "person",
            "id": 1,
            "name": "person",
            "keypoints": list(POSETRACK.joints),
            "skeleton": [list(pair) for pair in COCO_SKELETON],
        }
    ]


def image_entry(
    number: int, frame: int, *, split: str, frames: int, is_labeled: bool, regions: list[list[tuple[int, int]]]
) -> dict[str, Any]:
    """One frame; `regions` are the corners (x, y) of closed polygons without labels."""
    name = video_name(number, split)
    identity = frame_id(number, frame)
    return {
        "has_no_densepose": True,
        "is_labeled": is_labeled,
        "file_name": f"images/{split}/{name}/{frame:06d}.jpg",
        "nframes": frames,
        "frame_id": identity,
        "vid_id": f"{number:06d}",
        "id": identity,
        "ignore_regions_x": [[x for x, _ in region] for region in regions],
        "ignore_regions_y": [[y for _, y in region] for region in regions],
    }


def person_entry(
    identity: int,
    index: int,
    *,
    track_id: int,
    keypoints: Float[NDArray[np.float64], "K 2"],
    is_labelled: Bool[NDArray[np.bool_], " K"],
    head_bbox: Float[NDArray[np.float64], " 4"],
) -> dict[str, Any]:
    """One person in the frame with id `identity`; unlabelled joints are 0, 0, 0."""
    flat: list[float] = []
    for (x, y), known in zip(np.round(keypoints, 3).tolist(), is_labelled.tolist(), strict=True):
        flat += [x, y, 1] if known else [0, 0, 0]
    x1, y1, x2, y2 = (round(value) for value in head_bbox.tolist())
    return {
        "id": identity * 100 + index,
        "image_id": identity,
        "category_id": 1,
        "track_id": track_id,
        "keypoints": flat,
        "bbox": grown_bbox(np.round(keypoints[is_labelled], 3)),
        "bbox_head": [x1, y1, x2 - x1, y2 - y1],
        "scores": [],
    }


def grown_bbox(points: Float[NDArray[np.float64], "N 2"]) -> list[float]:
    """The extent [x, y, width, height] of points, grown by `GROWTH` of it on each side."""
    low, high = points.min(axis=0), points.max(axis=0)
    extent = high - low
    corner, size = low - GROWTH * extent, (1 + 2 * GROWTH) * extent
    return [round(float(value), 4) for value in (*corner, *size)]


def labelled_frames(count: int, *, middle: int, step: int | None) -> Bool[NDArray[np.bool_], " F"]:
    """Which of `count` frames are labelled: `middle` of them around the middle and, with a step, every such frame."""
    chosen = np.zeros(count, bool)
    start = (count - middle) // 2
    chosen[start : start + middle] = True
    if step is not None:
        chosen[::step] = True
    return chosen
