"""The official PoseTrack numbers of two folders, in the official evaluator's terms."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.ap import JointAP, ScoredJoints, average_precision, scored_joints
from pipeline.evaluation.filtering import keep_evaluated
from pipeline.evaluation.loading import read_pairs
from pipeline.evaluation.matching import match
from pipeline.evaluation.people import GROUPS, JOINTS
from pipeline.evaluation.tracking_metrics import Counts, JointTracking, count_tracking, tracking_fault, tracking_result
from pipeline.evaluation.video import Video
from pipeline.refusal import Refusal


def score_folders(gt: Path, pred: Path) -> dict[str, Any]:
    """AP, precision, recall, MOTA and MOTP of a folder of predictions, in percent, None for NaN.

    `gt` and `pred` hold PoseTrack17 or PoseTrack18 JSON, one file a video under the same name. The keys are those that
    `evaluate` gives.

    Raises:
        Refusal: a folder or file is missing or malformed, or nothing in `gt` is annotated.
    """
    return evaluate(read_pairs(gt, pred), tracking=True)


def evaluate(
    pairs: Iterable[tuple[Video, Video]], *, tracking: bool, of_unannotated: float = math.nan
) -> dict[str, Any]:
    """The numbers of (ground truth, predictions) pairs, one video in memory at a time.

    Keys: `n_gt_frames_evaluated`, `n_pred_frames_evaluated`; `ap`, `precision`, `recall`, `n_gt_joints` and
    `n_scored_predictions` by joint; `ap_grouped` by column of the official table; `tie_sensitive`, whether the order of
    equal scores counts; and with `tracking`, `mot` (None where the official evaluator crashes, with a `mot_error`).
    `of_unannotated` is as in `average_precision`.
    """
    frames = 0
    scored: list[ScoredJoints] = []
    counts = [Counts() for _ in JOINTS]
    error: str | None = None
    for truth, prediction in pairs:
        evaluated = keep_evaluated(truth, prediction)
        matching = match(evaluated)
        frames += len(evaluated.frames)
        scored.append(scored_joints(evaluated, matching))
        error = error or tracking_fault(evaluated)
        if tracking and error is None:
            count_tracking(evaluated, matching, counts=counts)
    if not frames:
        raise Refusal("ground truth: got no frame with an annotated person, wanted at least one")
    joints = average_precision(scored, of_unannotated=of_unannotated)
    result = {"n_gt_frames_evaluated": frames, "n_pred_frames_evaluated": frames} | _ap(joints)
    return result | _mot(counts, error) if tracking else result


def _ap(joints: list[JointAP]) -> dict[str, Any]:
    ap = _by_joint([joint.ap for joint in joints])
    return {
        "ap": ap,
        "ap_grouped": _grouped(ap),
        "precision": _by_joint([joint.precision for joint in joints]),
        "recall": _by_joint([joint.recall for joint in joints]),
        "n_gt_joints": {name: joint.annotated for name, joint in zip(JOINTS, joints, strict=True)},
        "n_scored_predictions": {name: joint.predicted for name, joint in zip(JOINTS, joints, strict=True)},
        "tie_sensitive": any(joint.depends_on_ties for joint in joints),
    }


def _mot(counts: list[Counts], error: str | None) -> dict[str, Any]:
    if error is not None:
        return {"mot": None, "mot_error": error}
    joints: list[JointTracking] = [tracking_result(count) for count in counts]
    mota = _by_joint([joint.mota for joint in joints])
    return {
        "mot": {
            "mota": mota,
            "mota_grouped": _grouped(mota),
            "motp": _by_joint([joint.motp for joint in joints]),
            "motp_match_only": _by_joint([joint.motp_match_only for joint in joints]),
            "pre": _by_joint([joint.precision for joint in joints]),
            "rec": _by_joint([joint.recall for joint in joints]),
        }
    }


def _by_joint(values: list[float]) -> dict[str, float | None]:
    """Each joint's value, and as `total` the mean of those that are not NaN."""
    known = [value for value in values if not math.isnan(value)]
    total = float(np.mean(known)) if known else math.nan
    return {name: _or_none(value) for name, value in zip((*JOINTS, "total"), (*values, total), strict=True)}


def _grouped(values: dict[str, float | None]) -> dict[str, float | None]:
    """The official table's columns: plain means, so that one joint without a value leaves its column without one."""
    columns = {column: [values[joint] for joint in joints] for column, joints in GROUPS.items()}
    means = {
        column: float(np.mean([math.nan if value is None else value for value in members]))
        for column, members in columns.items()
    }
    return {column: _or_none(mean) for column, mean in means.items()} | {"Total": values["total"]}


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
