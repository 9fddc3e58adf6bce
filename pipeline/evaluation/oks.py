"""COCO's average precision by Object Keypoint Similarity, computed by xtcocotools with the skeleton's own sigmas."""

import contextlib
import io
import math
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64
from xtcocotools.coco import COCO
from xtcocotools.cocoeval import COCOeval

from dsn.skeleton import Skeleton

STATS = ("AP", "AP50", "AP75", "AP_medium", "AP_large", "AR", "AR50", "AR75", "AR_medium", "AR_large")
"""The order of COCOeval's keypoint summary."""

AREA = 0.53
"""A person's area by the area of its bbox, as xtcocotools has it; PoseTrack gives no areas."""


def oks_ap(truth: pd.DataFrame, predictions: pd.DataFrame, *, skeleton: Skeleton) -> dict[str, float]:
    """AP and AR over OKS 0.5 to 0.95 and at single thresholds, in percent; NaN where nobody is of that size.

    Only scored joints count, and people without a labelled one are ignored. A person's score is the mean of its scored
    joints' scores. At most 20 predictions of a frame count: COCO's rule.

    Args:
        truth: one row a person, with `video`, `frame_id`, `bbox` (x1, y1, x2, y2) and `keypoints` (3K: x, y, v).
        predictions: one row a person, with `video`, `frame_id`, `keypoints` (2K: x, y) and `scores` (K).
        skeleton: names the scored joints, and holds their sigmas.
    """
    images = _image_numbers(truth, predictions)
    # Ids from 1 on: to COCOeval a match with id 0 is none.
    people = [
        {"id": number} | _truth_entry(row, images=images, skeleton=skeleton)
        for number, row in enumerate(_rows(truth), start=1)
    ]
    found = [_prediction_entry(row, images=images, skeleton=skeleton) for row in _rows(predictions)]
    dataset = {
        "images": [{"id": number} for number in images.values()],
        "annotations": people,
        "categories": [{"id": 1, "name": "person"}],
    }
    stats = _evaluate(dataset, found, sigmas=np.array(skeleton.sigmas)[list(skeleton.scored)])
    # COCOeval's -1 says that there was nobody to find.
    return {name: math.nan if value < 0 else 100 * float(value) for name, value in zip(STATS, stats, strict=True)}


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _image_numbers(truth: pd.DataFrame, predictions: pd.DataFrame) -> dict[tuple[str, int], int]:
    """A number for every frame, since PoseTrack17's frame ids are unique within a video only."""
    names = {
        (video, frame)
        for table in (truth, predictions)
        for video, frame in zip(table["video"], table["frame_id"], strict=True)
    }
    return {name: number for number, name in enumerate(sorted(names), start=1)}


def _truth_entry(row: dict[str, Any], *, images: dict[tuple[str, int], int], skeleton: Skeleton) -> dict[str, Any]:
    keypoints = np.asarray(row["keypoints"], dtype=np.float64).reshape(len(skeleton.joints), 3)[list(skeleton.scored)]
    x1, y1, x2, y2 = (float(value) for value in row["bbox"])
    return {
        "image_id": images[row["video"], row["frame_id"]],
        "category_id": 1,
        "iscrowd": 0,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": (x2 - x1) * (y2 - y1) * AREA,
        "num_keypoints": int((keypoints[:, 2] > 0).sum()),
        "keypoints": keypoints.ravel().tolist(),
    }


def _prediction_entry(row: dict[str, Any], *, images: dict[tuple[str, int], int], skeleton: Skeleton) -> dict[str, Any]:
    scored = list(skeleton.scored)
    points = np.asarray(row["keypoints"], dtype=np.float64).reshape(len(skeleton.joints), 2)[scored]
    scores = np.asarray(row["scores"], dtype=np.float64)[scored]
    return {
        "image_id": images[row["video"], row["frame_id"]],
        "category_id": 1,
        "keypoints": np.column_stack([points, np.ones(len(scored))]).ravel().tolist(),
        "score": float(scores.mean()),
    }


def _evaluate(
    dataset: dict[str, Any], found: list[dict[str, Any]], *, sigmas: Float64[np.ndarray, " joints"]
) -> Float64[np.ndarray, " 10"]:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = dataset
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), "keypoints", sigmas, use_area=True)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return np.asarray(evaluation.stats, dtype=np.float64)
