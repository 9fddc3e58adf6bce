"""MOTA and MOTP of every joint by CLEAR-MOT; section 8 of the protocol."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64
from scipy.optimize import linear_sum_assignment

from pipeline.evaluation.filtering import Evaluated
from pipeline.evaluation.matching import Matching
from pipeline.evaluation.people import JOINTS, frame_starts


@dataclass(slots=True, kw_only=True)
class Counts:
    """What is counted for one joint, over all videos."""

    objects: int = 0
    misses: int = 0
    switches: int = 0
    false_positives: int = 0
    detections: int = 0
    match_distance: float = 0.0
    """Summed over matches and switches."""
    other_distance: float = 0.0
    """Summed over motmetrics' other rows with a distance: every allowed pair (RAW), TRANSFER, ASCEND and MIGRATE."""


@dataclass(slots=True, kw_only=True)
class _Links:
    """What is remembered of one joint from frame to frame of one video."""

    hypothesis_of: dict[int, int] = field(default_factory=dict)
    """The last hypothesis of each object; kept while it is missed."""
    object_of: dict[int, int] = field(default_factory=dict)
    """The last object that the assignment gave to each hypothesis; carried-over matches leave it."""


def tracking_fault(evaluated: Evaluated) -> str | None:
    """Why the official evaluator crashes on this video, and so gives no tracking result at all; None where it works."""
    path = evaluated.video.path
    if len(evaluated.frames) == 1:
        return f"{path}: got one frame with ground truth, wanted two or more: MOTA leaves out a video's last one"
    for people, side in ((evaluated.truth, "ground truth"), (evaluated.prediction, "predictions")):
        if not people.is_tracked.all():
            return f"{path}: got a person without track_id in the {side}, wanted one for each"
    return None


def count_tracking(evaluated: Evaluated, matching: Matching, *, counts: list[Counts]) -> None:
    """Add a video without `tracking_fault` to the counts of each joint.

    Its last frame does not count; a video without an evaluated frame adds nothing.
    """
    links = [_Links() for _ in JOINTS]
    of_truth, of_prediction = (
        frame_starts(people, len(evaluated.frames)) for people in (evaluated.truth, evaluated.prediction)
    )
    of_pair = np.searchsorted(matching.prediction, of_prediction)
    for frame in range(len(evaluated.frames) - 1):
        truth, prediction, pair = (
            slice(starts[frame], starts[frame + 1]) for starts in (of_truth, of_prediction, of_pair)
        )
        _count_frame(evaluated, matching, truth=truth, prediction=prediction, pair=pair, links=links, counts=counts)


def _count_frame(
    evaluated: Evaluated,
    matching: Matching,
    *,
    truth: slice,
    prediction: slice,
    pair: slice,
    links: list[_Links],
    counts: list[Counts],
) -> None:
    objects, hypotheses = evaluated.truth.track_id[truth], evaluated.prediction.track_id[prediction]
    if not len(objects) or not len(hypotheses):
        for count in counts:
            _count_dummy(count)
        return
    shape = (len(hypotheses), len(objects), len(JOINTS))
    cost = np.where(matching.hit[pair], matching.distance[pair], np.nan).reshape(shape).transpose(2, 1, 0)
    has_truth, has_prediction = evaluated.truth.present[truth], evaluated.prediction.present[prediction]
    for joint, (link, count) in enumerate(zip(links, counts, strict=True)):
        rows, columns = has_truth[:, joint], has_prediction[:, joint]
        _count_joint(
            objects[rows].tolist(),
            hypotheses[columns].tolist(),
            cost=cost[joint][rows][:, columns],
            link=link,
            count=count,
        )


def _count_dummy(count: Counts) -> None:
    """The official evaluator puts one object and one hypothesis that do not match into a frame that lacks either."""
    count.objects += 1
    count.misses += 1
    count.false_positives += 1


def _count_joint(
    objects: list[int],
    hypotheses: list[int],
    *,
    cost: Float64[np.ndarray, "objects hypotheses"],
    link: _Links,
    count: Counts,
) -> None:
    """One joint in one frame; `cost` is NaN where a pair is forbidden."""
    allowed = np.isfinite(cost)
    count.objects += len(objects)
    count.other_distance += float(cost[allowed].sum())
    carried = _carry_over(objects, hypotheses, allowed=allowed, link=link)
    for row, column in carried:
        count.match_distance += float(cost[row, column])
    assigned = _assign(cost, carried)
    for row, column in assigned:
        _count_assigned(objects[row], hypotheses[column], distance=float(cost[row, column]), link=link, count=count)
    detections = len(carried) + len(assigned)
    count.detections += detections
    count.misses += len(objects) - detections
    count.false_positives += len(hypotheses) - detections


def _carry_over(
    objects: list[int], hypotheses: list[int], *, allowed: Bool[np.ndarray, "objects hypotheses"], link: _Links
) -> list[tuple[int, int]]:
    """Pairs (row, column) of objects that keep their hypothesis of before."""
    free = {hypothesis: column for column, hypothesis in enumerate(hypotheses)}
    carried = []
    for row, identity in enumerate(objects):
        hypothesis = link.hypothesis_of.get(identity)
        column = None if hypothesis is None else free.get(hypothesis)
        if column is not None and allowed[row, column]:
            del free[hypotheses[column]]
            carried.append((row, column))
    return carried


def _assign(cost: Float64[np.ndarray, "objects hypotheses"], carried: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The rest, by the smallest total distance among the largest sets of allowed pairs."""
    left = cost.copy()
    for row, column in carried:
        left[row], left[:, column] = np.nan, np.nan
    allowed = np.isfinite(left)
    if not allowed.any():
        return []
    # motmetrics' number: one forbidden pair costs more than any allowed assignment.
    forbidden = 2 * min(left.shape) * (left[allowed].max() + 1) + 1
    rows, columns = linear_sum_assignment(np.where(allowed, left, forbidden))
    return [(row, column) for row, column in zip(rows.tolist(), columns.tolist(), strict=True) if allowed[row, column]]


def _count_assigned(identity: int, hypothesis: int, *, distance: float, link: _Links, count: Counts) -> None:
    """One new pair, counted as motmetrics does, which writes further rows for the same distance."""
    is_switch = link.hypothesis_of.get(identity, hypothesis) != hypothesis
    is_transfer = link.object_of.get(hypothesis, identity) != identity
    is_ascend = is_switch and hypothesis not in link.object_of
    is_migrate = is_transfer and identity not in link.hypothesis_of
    count.switches += is_switch
    count.match_distance += distance
    count.other_distance += distance * (is_transfer + is_ascend + is_migrate)
    link.hypothesis_of[identity] = hypothesis
    link.object_of[hypothesis] = identity


@dataclass(frozen=True, slots=True, kw_only=True)
class JointTracking:
    """The result of one joint, in percent; NaN where nothing was there to count."""

    mota: float
    motp: float
    """As the official code prints it: `Counts.other_distance` is in it as well, which about doubles the error."""
    motp_match_only: float
    precision: float
    recall: float


def tracking_result(count: Counts) -> JointTracking:
    """The result that the counts give."""
    wrong = count.misses + count.switches + count.false_positives
    return JointTracking(
        mota=100 * (1 - _ratio(wrong, count.objects)),
        motp=_motp(count.match_distance + count.other_distance, count.detections),
        motp_match_only=_motp(count.match_distance, count.detections),
        precision=100 * _ratio(count.detections, count.detections + count.false_positives),
        recall=100 * _ratio(count.detections, count.objects),
    )


def _motp(distance: float, detections: int) -> float:
    return 100 * (1 - distance / detections) if detections else 0.0


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
