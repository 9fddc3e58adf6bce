"""Which prediction belongs to whom in each frame; section 4 of the protocol.

All pairs of a prediction and a ground-truth person of one frame stand in flat arrays, frame by frame, prediction by
prediction, so that a whole video is matched without a loop and without padding.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from pipeline.evaluation.filtering import Evaluated
from pipeline.evaluation.people import frame_starts, ragged
from pipeline.evaluation.video import refuse

THRESHOLD = 0.5
"""A joint is hit at this distance in head sizes, or nearer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """m pairs, and what each of the p predictions got."""

    prediction: Int64[np.ndarray, " m"]
    """Row of the pair's prediction."""
    truth: Int64[np.ndarray, " m"]
    """Row of the pair's ground-truth person."""
    distance: Float64[np.ndarray, "m 15"]
    """In head sizes, exact where `hit`; infinite where one of the two has no such joint or lies out of reach."""
    hit: Bool[np.ndarray, "m 15"]
    matched: Int64[np.ndarray, " p"]
    """Row of the ground-truth person, or -1."""
    correct: Bool[np.ndarray, "p 15"]
    """Whether the joint is a true positive."""


def match(evaluated: Evaluated) -> Matching:
    """Match every prediction to at most one ground-truth person, greedily by the share of joints hit.

    Scores and boxes play no part. Equal shares go to whoever stands first in the file.

    Raises:
        Refusal: a person without a head box shares a frame with predictions.
    """
    truth, prediction = evaluated.truth, evaluated.prediction
    starts = frame_starts(truth, len(evaluated.frames))
    counts = np.diff(starts)[prediction.frame]
    of_prediction = np.repeat(np.arange(len(prediction.frame)), counts)
    of_truth = ragged(starts[prediction.frame], counts)
    _refuse_missing_heads(evaluated, of_truth)
    distance = _distances(evaluated, of_prediction, of_truth=of_truth)
    hit = distance <= THRESHOLD
    pair = _assign(of_prediction, of_truth, share=_shares(hit, truth.present[of_truth]))
    matched = np.full(len(prediction.frame), -1)
    matched[of_prediction[pair]] = of_truth[pair]
    correct = np.zeros(prediction.present.shape, dtype=np.bool_)
    correct[of_prediction[pair]] = hit[pair]
    return Matching(
        prediction=of_prediction, truth=of_truth, distance=distance, hit=hit, matched=matched, correct=correct
    )


def _refuse_missing_heads(evaluated: Evaluated, of_truth: Int64[np.ndarray, " m"]) -> None:
    missing = np.flatnonzero(np.isnan(evaluated.truth.head_size[of_truth]))
    if len(missing):
        frame = evaluated.truth.frame[of_truth[missing[0]]]
        name = evaluated.video.frames[evaluated.frames[frame]]
        refuse(evaluated.video.path, name, field="bbox_head", problem="missing; distances are measured in head sizes")


def _distances(
    evaluated: Evaluated, of_prediction: Int64[np.ndarray, " m"], *, of_truth: Int64[np.ndarray, " m"]
) -> Float64[np.ndarray, "m 15"]:
    """In head sizes, of joints that may be within reach; infinite elsewhere."""
    truth, prediction = evaluated.truth, evaluated.prediction
    x, y = (prediction.keypoints[..., axis][of_prediction] - truth.keypoints[..., axis][of_truth] for axis in range(2))
    # A head of size 0 gives infinity or NaN, and neither is a hit.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        squares = x**2 + y**2
        # Most pairs are of two people far apart: a rough bound leaves few of which the exact distance is worked out.
        reach = (2 * THRESHOLD * truth.head_size[of_truth]) ** 2
        near = np.flatnonzero((squares <= reach[:, None]) & _both(evaluated, of_prediction, of_truth=of_truth))
        lengths = np.sqrt(squares.ravel()[near]) / truth.head_size[of_truth[near // squares.shape[1]]]
    distance = np.full(squares.shape, np.inf)
    distance.ravel()[near] = lengths
    return distance


def _both(
    evaluated: Evaluated, of_prediction: Int64[np.ndarray, " m"], *, of_truth: Int64[np.ndarray, " m"]
) -> Bool[np.ndarray, "m 15"]:
    both: Bool[np.ndarray, "m 15"] = evaluated.prediction.present[of_prediction] & evaluated.truth.present[of_truth]
    return both


def _shares(hit: Bool[np.ndarray, "m 15"], annotated: Bool[np.ndarray, "m 15"]) -> Float64[np.ndarray, " m"]:
    """Hits by annotated joints, 0 for a person who has none."""
    share: Float64[np.ndarray, " m"] = hit.sum(axis=1) / np.maximum(annotated.sum(axis=1), 1)
    return share


def _assign(
    of_prediction: Int64[np.ndarray, " m"], of_truth: Int64[np.ndarray, " m"], *, share: Float64[np.ndarray, " m"]
) -> Int64[np.ndarray, " matches"]:
    """The pairs that match: each prediction's best person, then each person's best among the predictions left.

    A prediction that loses its best person gets no other.
    """
    best = _first_of_each(of_prediction, np.lexsort((-share, of_prediction)))
    left = best[share[best] > 0]
    winners = _first_of_each(of_truth[left], np.lexsort((-share[left], of_truth[left])))
    return np.take(left, winners)


def _first_of_each(group: Int64[np.ndarray, " m"], order: Int64[np.ndarray, " m"]) -> Int64[np.ndarray, " groups"]:
    """The first of every group's positions in an order that keeps groups together; `np.lexsort` keeps ties in place."""
    ordered = group[order]
    is_first = np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]
    return np.compress(is_first, order)
