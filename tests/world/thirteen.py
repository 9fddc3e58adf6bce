"""A dataset with a skeleton of thirteen joints, the drawn world's people without their heads' boxes, and detections."""

import json
from pathlib import Path

from dsn.skeleton import Skeleton
from tests.world import formats

JOINTS_FROM = (
    "nose", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
"""PoseTrack's joints, in the order of those that they stand for."""
THIRTEEN = Skeleton(
    name="thirteen",
    joints=("face", *(name.replace("_", "-") for name in JOINTS_FROM[1:])),
    flip_pairs=((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12)),
    limbs=((0, 1), (0, 2), (1, 3), (3, 5), (2, 4), (4, 6), (1, 7), (2, 8), (7, 8), (7, 9), (9, 11), (8, 10), (10, 12)),
    sigmas=(0.026, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
    scored=tuple(range(13)),
    upper_body=(0, 1, 2, 3, 4, 5, 6),
    lower_body=(7, 8, 9, 10, 11, 12),
    groups=(("Face", (0,)), ("Arms", (1, 2, 3, 4, 5, 6)), ("Legs", (7, 8, 9, 10, 11, 12))),
)
"""None of its joints has a name of PoseTrack's."""
BOXES = "boxes.json"


def convert(world: Path, out: Path) -> Path:
    """Write the drawn world as own data into the new folder `out`, with detections beside; gives the folder.

    Everybody annotated in val is found, and in each frame besides somebody who is not there.
    """
    formats.own(world, out, skeleton=THIRTEEN, joints_from=JOINTS_FROM)
    people = [
        person
        for split, _, document in formats.documents(world)
        if split == "val"
        for person in document["annotations"]
    ]
    found = [{"image_id": p["image_id"], "category_id": 1, "bbox": p["bbox"], "score": 0.9} for p in people]
    frames = sorted({person["image_id"] for person in people})
    found += [{"image_id": frame, "category_id": 1, "bbox": [1, 1, 30, 60], "score": 0.5} for frame in frames]
    (out / BOXES).write_text(json.dumps(found))
    return out
