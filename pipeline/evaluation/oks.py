"""COCO's average precision by Object Keypoint Similarity, computed by xtcocotools with the skeleton's own sigmas."""

import contextlib
import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64
from xtcocotools.coco import COCO
from xtcocotools.cocoeval import COCOeval

from dsn.skeleton import Skeleton

STATS = ("AP", "AP50", "AP75", "AP_medium", "AP_large", "AR", "AR50", "AR75", "AR_medium", "AR_large")
"""The order of COCOeval's keypoint summary."""

AREA = 0.53
"""A person's area by the area of its bbox, as xtcocotools has it; PoseTrack gives no areas."""

Images = dict[tuple[str, int], int]
"""Numbers of frames, which are named by video and frame id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPeople:
    """What COCO's matching says of the n predicted people of a video, at T thresholds of OKS."""

    score: Float64[np.ndarray, " n"]
    is_hit: Bool[np.ndarray, "T n"]
    """Matched to an annotated person."""
    is_ignored: Bool[np.ndarray, "T n"]
    """Matched to somebody without a labelled joint: neither right nor wrong."""
    annotated: int
    """People with a labelled joint."""


def oks_ap(truth: pd.DataFrame, predictions: pd.DataFrame, *, skeleton: Skeleton) -> dict[str, float]:
    """AP and AR over OKS 0.5 to 0.95 and at single thresholds, in percent; NaN where nobody is of that size.

    Only scored joints count, and people without a labelled one are ignored. A person's score is the mean of its scored
    joints' scores. At most 20 predictions of a frame count: COCO's rule.

    Args:
        truth: one row a person, with `video`, `frame_id`, `bbox` (x1, y1, x2, y2) and `keypoints` (3K: x, y, v).
        predictions: one row a person, with `video`, `frame_id`, `keypoints` (2K: x, y) and `scores` (K).
        skeleton: names the scored joints, and holds their sigmas.
    """
    evaluation = _evaluated(truth, predictions, images=_image_numbers(truth, predictions), skeleton=skeleton)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
        evaluation.summarize()
    # COCOeval's -1 says that there was nobody to find.
    return {
        name: math.nan if value < 0 else 100 * float(value) for name, value in zip(STATS, evaluation.stats, strict=True)
    }


def found_people(truth: pd.DataFrame, predictions: pd.DataFrame, *, skeleton: Skeleton) -> list[FoundPeople]:
    """The same matching video by video, in order of name; videos are those in which somebody is annotated.

    Args:
        truth: as for `oks_ap`.
        predictions: as for `oks_ap`; those in other videos are left out.
        skeleton: as for `oks_ap`.
    """
    predictions = predictions[predictions["video"].isin(truth["video"])]
    images = _image_numbers(truth, predictions)
    evaluation = _evaluated(truth, predictions, images=images, skeleton=skeleton)
    # COCOeval goes through areas, `all` first, and in each through the images in order of their numbers.
    by_video: dict[str, list[dict[str, Any]]] = {video: [] for video in sorted(truth["video"].unique())}
    for (video, _), entry in zip(images, evaluation.evalImgs, strict=False):
        by_video[video].append(entry)
    return [_found(entries, thresholds=len(evaluation.params.iouThrs)) for entries in by_video.values()]


def _found(entries: list[dict[str, Any]], *, thresholds: int) -> FoundPeople:
    nobody = np.zeros((thresholds, 0))
    is_ignored = np.concatenate([nobody, *(entry["dtIgnore"] for entry in entries)], axis=1) > 0
    is_matched = np.concatenate([nobody, *(entry["dtMatches"] for entry in entries)], axis=1) >= 0
    return FoundPeople(
        score=np.concatenate([entry["dtScores"] for entry in entries]).astype(np.float64),
        is_hit=is_matched & ~is_ignored,
        is_ignored=is_ignored,
        annotated=sum(int((np.asarray(entry["gtIgnore"]) == 0).sum()) for entry in entries),
    )


def _evaluated(truth: pd.DataFrame, predictions: pd.DataFrame, *, images: Images, skeleton: Skeleton) -> Any:
    """COCOeval after its matching of each image."""
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
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = dataset
        known.createIndex()
        sigmas = np.array(skeleton.sigmas)[list(skeleton.scored)]
        evaluation = COCOeval(known, known.loadRes(found), "keypoints", sigmas, use_area=True)
        evaluation.evaluate()
    return evaluation


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _image_numbers(truth: pd.DataFrame, predictions: pd.DataFrame) -> Images:
    """A number for every frame in order of its name, since PoseTrack17's frame ids are unique within a video only."""
    names = {
        (video, frame)
        for table in (truth, predictions)
        for video, frame in zip(table["video"], table["frame_id"], strict=True)
    }
    return {name: number for number, name in enumerate(sorted(names), start=1)}


def _truth_entry(row: dict[str, Any], *, images: Images, skeleton: Skeleton) -> dict[str, Any]:
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


def _prediction_entry(row: dict[str, Any], *, images: Images, skeleton: Skeleton) -> dict[str, Any]:
    scored = list(skeleton.scored)
    points = np.asarray(row["keypoints"], dtype=np.float64).reshape(len(skeleton.joints), 2)[scored]
    scores = np.asarray(row["scores"], dtype=np.float64)[scored]
    return {
        "image_id": images[row["video"], row["frame_id"]],
        "category_id": 1,
        "keypoints": np.column_stack([points, np.ones(len(scored))]).ravel().tolist(),
        "score": float(scores.mean()),
    }
