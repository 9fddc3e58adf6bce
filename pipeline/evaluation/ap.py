"""Average precision of every joint; sections 5 and 6 of the protocol."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float64, Int64

from pipeline.evaluation.filtering import Evaluated
from pipeline.evaluation.matching import Matching
from pipeline.evaluation.people import JOINTS


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredJoints:
    """Every predicted joint of a video, in the file's order, and how many were annotated."""

    joint: Int64[np.ndarray, " n"]
    score: Float64[np.ndarray, " n"]
    correct: Bool[np.ndarray, " n"]
    annotated: Int64[np.ndarray, " 15"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointAP:
    """The result of one joint, in percent."""

    ap: float
    precision: float
    recall: float
    annotated: int
    predicted: int
    depends_on_ties: bool
    """Whether equal scores stand on right and wrong predictions, so that their order counts."""


def scored_joints(evaluated: Evaluated, matching: Matching) -> ScoredJoints:
    """What a video adds to the lists. A joint that is not annotated is a false positive, matched or not."""
    person, joint = np.nonzero(evaluated.prediction.present)
    return ScoredJoints(
        joint=joint,
        score=evaluated.prediction.scores[person, joint],
        correct=matching.correct[person, joint],
        annotated=evaluated.truth.present.sum(axis=0),
    )


def average_precision(videos: list[ScoredJoints], *, of_unannotated: float = math.nan) -> list[JointAP]:
    """The result of each joint of `JOINTS`, over all videos together.

    Args:
        videos: their lists.
        of_unannotated: AP and recall, from 0 to 1, of a joint that is predicted and nowhere annotated; officially NaN.
    """
    joint = np.concatenate([video.joint for video in videos])
    score = np.concatenate([video.score for video in videos])
    correct = np.concatenate([video.correct for video in videos])
    annotated = np.sum([video.annotated for video in videos], axis=0)
    order = np.argsort(joint.astype(np.int8), kind="stable")
    bounds = np.searchsorted(joint[order], np.arange(len(JOINTS) + 1))
    rows = [order[start:end] for start, end in pairwise(bounds)]
    return [
        _joint_ap(score[row], correct[row], annotated=int(annotated[k]), of_unannotated=of_unannotated)
        for k, row in enumerate(rows)
    ]


def _joint_ap(
    score: Float64[np.ndarray, " n"], correct: Bool[np.ndarray, " n"], *, annotated: int, of_unannotated: float
) -> JointAP:
    """One joint: 0 throughout where nothing is predicted, else `of_unannotated` where nothing is annotated.

    Equal scores stay in reading order (file name, frame, person): the official evaluator leaves their order to NumPy's
    unstable sort and the folder's, so it can differ there.
    """
    if not len(score):
        return JointAP(ap=0.0, precision=0.0, recall=0.0, annotated=annotated, predicted=0, depends_on_ties=False)
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(correct[order])
    precision = hits / np.arange(1, len(hits) + 1)
    recall = hits / annotated if annotated else np.full(len(hits), of_unannotated)
    return JointAP(
        ap=100 * _area(recall, precision),
        precision=100 * float(precision[-1]),
        recall=100 * float(recall[-1]),
        annotated=annotated,
        predicted=len(score),
        depends_on_ties=_depends_on_ties(score[order], correct[order]),
    )


def _area(recall: Float64[np.ndarray, " n"], precision: Float64[np.ndarray, " n"]) -> float:
    """Area under the curve of precision made non-increasing, as in Pascal VOC from 2010 on."""
    edges = np.concatenate([[0.0], recall, [1.0]])
    heights = np.maximum.accumulate(np.concatenate([[0.0], precision, [0.0]])[::-1])[::-1]
    return float((np.diff(edges) * heights[1:]).sum())


def _depends_on_ties(score: Float64[np.ndarray, " n"], correct: Bool[np.ndarray, " n"]) -> bool:
    """Sorted by score: whether somewhere equal scores are both right and wrong."""
    group = np.cumsum(np.append(False, score[1:] != score[:-1]))
    right = np.bincount(group, weights=correct)
    return bool(((right > 0) & (right < np.bincount(group))).any())
