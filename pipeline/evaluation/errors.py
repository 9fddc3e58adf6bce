"""How far each joint is from its label, and what follows from that joint by joint, without matching people."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from dsn.skeleton import Skeleton
from pipeline.evaluation.predict import Poses
from pipeline.shards.sample import ClipSample

THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
"""Of the PCKh curve, in head sizes."""
OF_BBOX = 0.4
"""Head sizes by the longer side of the bbox, for skeletons that are scored without head boxes: half of it is the reach
of PCK@0.2."""
RIGHT = 0.5
"""Head sizes within which a joint is right, as in the official AP."""
BINS = 10
"""Of scores, for their calibration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What N people's poses are measured by."""

    keypoints: Float64[np.ndarray, "N K 2"]
    """In source pixels."""
    labeled: Bool[np.ndarray, "N K"]
    """Labelled joints that are scored; nobody's where there is no unit."""
    unit: Float64[np.ndarray, " N"]
    """The head size in source pixels."""
    video: Int64[np.ndarray, " N"]
    """Number of the person's video, in order of name."""
    frame: Int64[np.ndarray, " N"]
    track_id: Int64[np.ndarray, " N"]


def labels_of(samples: Sequence[ClipSample], *, skeleton: Skeleton, by_head: bool) -> Labels:
    """The labels of samples; `by_head` measures by head boxes, else by the longer side of the bbox."""
    keypoints = np.array([sample.keypoints for sample in samples], dtype=np.float64)
    unit = np.array([_unit(sample, by_head=by_head) for sample in samples])
    is_scored = np.isin(np.arange(len(skeleton.joints)), skeleton.scored)
    return Labels(
        keypoints=keypoints[:, :, :2],
        labeled=(keypoints[:, :, 2] > 0) & is_scored & (unit > 0)[:, None],
        unit=unit,
        video=np.unique([sample.video for sample in samples], return_inverse=True)[1].astype(np.int64),
        frame=np.array([sample.frame for sample in samples], dtype=np.int64),
        track_id=np.array([sample.track_id for sample in samples], dtype=np.int64),
    )


def _unit(sample: ClipSample, *, by_head: bool) -> float:
    """NaN where a head box is wanted and missing."""
    if by_head:
        return np.nan if sample.head_size is None else sample.head_size
    x1, y1, x2, y2 = sample.bbox
    return OF_BBOX * max(x2 - x1, y2 - y1)


def errors(poses: Poses, labels: Labels) -> Float64[np.ndarray, "N K"]:
    """Distances in head sizes; NaN where a joint is not labelled."""
    distance = np.linalg.norm(poses.keypoints - labels.keypoints, axis=2)
    found = np.full(distance.shape, np.nan)
    np.divide(distance, labels.unit[:, None], out=found, where=labels.labeled)
    return found


def is_right(error: Float64[np.ndarray, "*N"]) -> Bool[np.ndarray, "*N"]:
    """Within half a head; what is not labelled is not right."""
    return error <= RIGHT


def pckh_curve(error: Float64[np.ndarray, "N K"]) -> dict[float, float]:
    """By threshold, the percentage of labelled joints that are as near; NaN where nothing is labelled."""
    known = error[~np.isnan(error)]
    return {threshold: float(100 * (known <= threshold).mean()) if len(known) else np.nan for threshold in THRESHOLDS}


def conditional(
    event: Bool[np.ndarray, "N K"], given: Bool[np.ndarray, "N K"], labels: Labels
) -> tuple[Float64[np.ndarray, " V"], Float64[np.ndarray, " V"]]:
    """How many labelled joints of each video are of both kinds, and how many are `given`: P(event | given)."""
    counted = given & labels.labeled
    count = int(labels.video.max()) + 1
    whole = np.bincount(labels.video, weights=counted.sum(axis=1), minlength=count)
    part = np.bincount(labels.video, weights=(event & counted).sum(axis=1), minlength=count)
    return part, whole


def calibration_error(scores: Float64[np.ndarray, "N K"], error: Float64[np.ndarray, "N K"]) -> float:
    """Expected calibration error in percent: by bins of equal width, how far scores are from the share that is right.

    Scores are cut to 0 and 1; NaN where nothing is labelled.
    """
    known = ~np.isnan(error)
    if not known.any():
        return np.nan
    score, right = np.clip(scores[known], 0, 1), is_right(error[known])
    bins = np.minimum((score * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(bins, weights=score - right, minlength=BINS)
    return float(100 * np.abs(gaps).sum() / len(score))


def acceleration_errors(poses: Poses, labels: Labels) -> Float64[np.ndarray, " V"]:
    """By video, how far the acceleration of joints is from the labels', in head sizes by squared frame: jitter.

    It is taken over any three labelled keyframes of a track that follow each other at the same distance; NaN for a
    video without such.
    """
    order = np.lexsort([labels.frame, labels.track_id, labels.video])
    before, here, after = order[:-2], order[1:-1], order[2:]
    alike = np.ones(len(here), dtype=np.bool_)
    for column in (labels.video, labels.track_id):
        alike &= (column[before] == column[here]) & (column[here] == column[after])
    step = labels.frame[here] - labels.frame[before]
    alike &= step == labels.frame[after] - labels.frame[here]
    before, here, after = before[alike], here[alike], after[alike]
    off = poses.keypoints - labels.keypoints
    labeled = labels.labeled[before] & labels.labeled[here] & labels.labeled[after]
    size = np.linalg.norm(off[before] - 2 * off[here] + off[after], axis=2)
    size /= (labels.unit[here] * step[alike] ** 2)[:, None]
    count = int(labels.video.max()) + 1
    sums = np.bincount(labels.video[here], weights=np.where(labeled, size, 0).sum(axis=1), minlength=count)
    counts = np.bincount(labels.video[here], weights=labeled.sum(axis=1), minlength=count)
    found = np.full(count, np.nan)
    np.divide(sums, counts, out=found, where=counts > 0)
    return found
