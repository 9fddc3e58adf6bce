"""MOTA and MOTP of every joint by CLEAR-MOT; section 8 of the protocol."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.optimize import linear_sum_assignment

from pipeline.evaluation.filtering import Evaluated
from pipeline.evaluation.matching import Matching
from pipeline.evaluation.people import JOINTS, People


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
    truth, prediction, frames = evaluated.truth, evaluated.prediction, len(evaluated.frames)
    sizes = np.stack([np.bincount(people.frame, minlength=frames) for people in (truth, prediction)])
    is_full = (sizes > 0).all(axis=0) & (np.arange(frames) < frames - 1)
    # The official evaluator puts one object and one hypothesis that do not match into a frame that lacks either.
    dummies = max(frames - 1, 0) - int(is_full.sum())
    objects, hypotheses = (people.present[is_full[people.frame]].sum(axis=0) for people in (truth, prediction))
    pairs = _allowed(evaluated, matching, is_full=is_full)
    for joint, count in enumerate(counts):
        detections = _count_joint(evaluated, pairs[joint], count=count)
        count.detections += detections
        count.objects += int(objects[joint]) + dummies
        count.misses += int(objects[joint]) - detections + dummies
        count.false_positives += int(hypotheses[joint]) - detections + dummies
        count.other_distance += float(pairs[joint].distance.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pairs:
    """All pairs within reach of one joint, frame by frame."""

    joint: int
    frame: Int64[np.ndarray, " a"]
    truth: Int64[np.ndarray, " a"]
    """Row of the ground-truth person."""
    prediction: Int64[np.ndarray, " a"]
    """Row of the prediction."""
    distance: Float64[np.ndarray, " a"]
    is_disputed: Bool[np.ndarray, " a"]
    """Whether in this frame somebody is in two of the pairs, so that one has to be chosen."""
    is_kept: Bool[np.ndarray, " a"]
    """Whether the person's last pair had the same hypothesis, and was certain to match."""


def _allowed(evaluated: Evaluated, matching: Matching, *, is_full: Bool[np.ndarray, " f"]) -> list[_Pairs]:
    """The pairs of each joint, in frames that have people on both sides."""
    frame = evaluated.truth.frame[matching.truth]
    pair, joint = np.nonzero(matching.hit & is_full[frame][:, None])
    order = np.argsort(joint.astype(np.int8), kind="stable")
    pair, joint = pair[order], joint[order]
    truth, prediction = matching.truth[pair], matching.prediction[pair]
    identities, identity = np.unique(evaluated.truth.track_id, return_inverse=True)
    disputed, kept = _disputed_and_kept(
        joint * len(is_full) + frame[pair],
        person=joint * len(identities) + identity[truth],
        prediction=prediction,
        hypothesis=evaluated.prediction.track_id[prediction],
    )
    bounds = np.searchsorted(joint, np.arange(len(JOINTS) + 1)).tolist()
    columns = (frame[pair], truth, prediction, matching.distance[pair, joint], disputed, kept)
    names = ("frame", "truth", "prediction", "distance", "is_disputed", "is_kept")
    return [
        _Pairs(joint=number, **{name: column[begin:end] for name, column in zip(names, columns, strict=True)})
        for number, (begin, end) in enumerate(pairwise(bounds))
    ]


def _disputed_and_kept(
    scene: Int64[np.ndarray, " a"],
    *,
    person: Int64[np.ndarray, " a"],
    prediction: Int64[np.ndarray, " a"],
    hypothesis: Int64[np.ndarray, " a"],
) -> tuple[Bool[np.ndarray, " a"], Bool[np.ndarray, " a"]]:
    """`_Pairs.is_disputed` and `is_kept`.

    Args:
        scene: number of the frame of the joint; pairs stand scene by scene, and within each prediction by prediction.
        person: number of the joint of the ground-truth person.
        prediction: row of the prediction.
        hypothesis: its track id.
    """
    has_choice = np.zeros(int(scene.max(initial=0)) + 1, dtype=np.bool_)
    has_choice[scene[1:][(scene[1:] == scene[:-1]) & (prediction[1:] == prediction[:-1])]] = True
    # A person's pairs one after another, in order of time.
    order = np.argsort(person, kind="stable")
    before, after = order[:-1], order[1:]
    is_same = person[after] == person[before]
    has_choice[scene[after[is_same & (scene[after] == scene[before])]]] = True
    disputed = has_choice[scene]
    kept = np.zeros(len(scene), dtype=np.bool_)
    kept[after] = is_same & (hypothesis[after] == hypothesis[before]) & ~disputed[before]
    return disputed, kept


def _count_joint(evaluated: Evaluated, pairs: _Pairs, *, count: Counts) -> int:
    """Switches and distances of matches; gives the number of detections."""
    link = _Links()
    # Frames without a choice to make follow each other without a look at where one ends.
    run = np.where(pairs.is_disputed, pairs.frame, -1)
    cuts = (np.flatnonzero(run[1:] != run[:-1]) + 1).tolist()
    detections = 0
    for begin, end in pairwise([0, *cuts, len(run)] if len(run) else []):
        counted = _count_disputed if pairs.is_disputed[begin] else _count_undisputed
        detections += counted(evaluated, pairs, rows=slice(begin, end), link=link, count=count)
    return detections


def _count_undisputed(evaluated: Evaluated, pairs: _Pairs, *, rows: slice, link: _Links, count: Counts) -> int:
    """Frames in which everybody has one partner or none: all pairs match."""
    changed = rows.start + np.flatnonzero(~pairs.is_kept[rows])
    objects = evaluated.truth.track_id[pairs.truth[changed]].tolist()
    hypotheses = evaluated.prediction.track_id[pairs.prediction[changed]].tolist()
    for identity, hypothesis, distance in zip(objects, hypotheses, pairs.distance[changed].tolist(), strict=True):
        if link.hypothesis_of.get(identity) != hypothesis:
            _count_assigned(identity, hypothesis, distance=distance, link=link, count=count)
    count.match_distance += float(pairs.distance[rows].sum())
    return int(rows.stop - rows.start)


def _count_disputed(evaluated: Evaluated, pairs: _Pairs, *, rows: slice, link: _Links, count: Counts) -> int:
    """One frame in which pairs compete."""
    frame = int(pairs.frame[rows.start])
    truth, prediction = (
        _showing(people, pairs.joint, frame=frame) for people in (evaluated.truth, evaluated.prediction)
    )
    objects = evaluated.truth.track_id[truth].tolist()
    hypotheses = evaluated.prediction.track_id[prediction].tolist()
    cost = np.full((len(truth), len(prediction)), np.nan)
    at = (np.searchsorted(truth, pairs.truth[rows]), np.searchsorted(prediction, pairs.prediction[rows]))
    cost[at] = pairs.distance[rows]
    carried = _carry_over(objects, hypotheses, allowed=np.isfinite(cost), link=link)
    assigned = _assign(cost, carried)
    for row, column in assigned:
        _count_assigned(objects[row], hypotheses[column], distance=float(cost[row, column]), link=link, count=count)
    matches = [*carried, *assigned]
    count.match_distance += sum(float(cost[match]) for match in matches)
    return len(matches)


def _showing(people: People, joint: int, *, frame: int) -> Int64[np.ndarray, " r"]:
    """The rows of those in a frame who have a joint."""
    begin, end = np.searchsorted(people.frame, [frame, frame + 1])
    rows: Int64[np.ndarray, " r"] = begin + np.flatnonzero(people.present[begin:end, joint])
    return rows


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
    """What one new pair changes, as motmetrics counts, which writes further rows for the same distance."""
    is_switch = link.hypothesis_of.get(identity, hypothesis) != hypothesis
    is_transfer = link.object_of.get(hypothesis, identity) != identity
    is_ascend = is_switch and hypothesis not in link.object_of
    is_migrate = is_transfer and identity not in link.hypothesis_of
    count.switches += is_switch
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
