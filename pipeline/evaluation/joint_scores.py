"""Joint scores: an AP sorts by them, so they move it without moving a single keypoint."""

from typing import Literal, get_args

import numpy as np
import pandas as pd
from jaxtyping import Float64

ScoreRule = Literal["heatmap_times_box", "heatmap", "box", "pose_times_box"]
RULES: tuple[ScoreRule, ...] = get_args(ScoreRule)
"""`heatmap_times_box` is the heatmap's maximum times the box's score, as PoseWarper and DCPose have it. Two others
leave one of the two out; the last gives all joints of a person the mean of the confident maxima times the box's score,
as HRNet's code does for COCO."""
CONFIDENT = 0.2
"""Maxima above this count in a pose's mean; where none does, the mean is 0."""


def joint_scores(
    maxima: Float64[np.ndarray, "N K"], boxes: Float64[np.ndarray, " N"], *, rule: ScoreRule
) -> Float64[np.ndarray, "N K"]:
    """The scores of N people's joints.

    Args:
        maxima: of the heatmaps.
        boxes: the detector's scores; 1 where boxes are ground truth.
        rule: what is made of the two.
    """
    of_person: Float64[np.ndarray, "N K"] = boxes[:, None] * np.ones_like(maxima)
    if rule == "heatmap":
        return maxima
    if rule == "box":
        return of_person
    product: Float64[np.ndarray, "N K"] = of_person * (maxima if rule == "heatmap_times_box" else _of_poses(maxima))
    return product


def _of_poses(maxima: Float64[np.ndarray, "N K"]) -> Float64[np.ndarray, "N 1"]:
    confident = maxima > CONFIDENT
    sums = np.where(confident, maxima, 0).sum(axis=1, keepdims=True)
    mean: Float64[np.ndarray, "N 1"] = sums / np.maximum(confident.sum(axis=1, keepdims=True), 1)
    return mean


def rescored(rows: pd.DataFrame, rule: ScoreRule) -> pd.DataFrame:
    """The same predictions (see `predict.table`) with the scores of another rule."""
    maxima = np.array(rows["maxima"].tolist(), dtype=np.float64)
    boxes = rows["box_score"].to_numpy(dtype=np.float64)
    return rows.assign(scores=list(joint_scores(maxima, boxes, rule=rule)))
