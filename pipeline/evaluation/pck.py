"""Percentage of correct keypoints, for skeletons that the official protocol does not know."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from dsn.skeleton import Skeleton
from pipeline.evaluation.numbers import or_none

PCK = "PCK@0.2"
"""What it is called wherever it stands."""
THRESHOLD = 0.2
"""A keypoint is right within this share of the longer side of the annotated bbox: the usual PCK@0.2 where there are no
head boxes."""


def pck(truth: pd.DataFrame, predictions: pd.DataFrame, *, skeleton: Skeleton) -> dict[str, float | None]:
    """By scored joint the percentage of labelled keypoints that are right; None for a joint that nobody has labelled.

    Args:
        truth: one row a person, with `video`, `frame`, `person`, `bbox` (x1, y1, x2, y2) and `keypoints` (3K: x, y, v).
        predictions: their poses, with `video`, `frame`, `person` and `keypoints` (2K: x, y). People without one are
            wrong in every joint.
        skeleton: names the joints.
    """
    names = ["video", "frame", "person"]
    pairs = truth.merge(predictions[[*names, "keypoints"]], on=names, how="left", suffixes=("", "_found"))
    count = len(skeleton.joints)
    labels = np.array(pairs["keypoints"].tolist(), dtype=np.float64).reshape(-1, count, 3)
    nothing = np.full(2 * count, np.inf)
    found = [row if isinstance(row, np.ndarray) else nothing for row in pairs["keypoints_found"]]
    bboxes = np.array(pairs["bbox"].tolist(), dtype=np.float64).reshape(-1, 4)
    reach = THRESHOLD * (bboxes[:, 2:] - bboxes[:, :2]).max(axis=1)
    distance = np.linalg.norm(np.array(found).reshape(-1, count, 2) - labels[:, :, :2], axis=2)
    labeled = labels[:, :, 2] > 0
    hits = (labeled & (distance <= reach[:, None])).sum(axis=0)
    share = [float(100 * hits[joint] / max(1, labeled[:, joint].sum())) for joint in skeleton.scored]
    return {
        skeleton.joints[joint]: value if labeled[:, joint].any() else None
        for joint, value in zip(skeleton.scored, share, strict=True)
    }


def grouped(joints: Mapping[str, float | None], *, skeleton: Skeleton) -> dict[str, float | None]:
    """The skeleton's columns and `Total`: means over joints that have a value."""
    columns = {name: [skeleton.joints[member] for member in members] for name, members in skeleton.groups}
    columns["Total"] = list(joints)
    return {name: _mean([joints.get(member) for member in members]) for name, members in columns.items()}


def _mean(values: list[Any]) -> float | None:
    known = [value for value in values if value is not None]
    return or_none(float(np.mean(known))) if known else None
