"""Keypoints that tremble less: as they come (One-Euro), or with a look at what follows (Savitzky-Golay)."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float64
from scipy.signal import savgol_coeffs

from pipeline.inference.people import Pose, Posed

Smoothing = Literal["none", "one-euro", "savgol"]
Points = Float64[np.ndarray, "K 2"]

MIN_CUTOFF = 1.0
"""Hertz below which a keypoint at rest is smoothed."""
BETA = 0.02
"""By how many hertz the cutoff rises for each pixel a second, so that fast joints do not lag."""
SPEED_CUTOFF = 1.0
"""Hertz at which the speed itself is smoothed."""
HALF_WINDOW = 3
"""Frames on either side that Savitzky-Golay looks at; poses come so many frames later."""
ORDER = 2
"""Of its polynomials: a joint that accelerates evenly stays where it is."""

Frames = Iterable[Posed]


def smoothed(frames: Frames, *, way: Smoothing) -> Iterator[Posed]:
    """The same frames, their keypoints smoothed track by track; a gap in a track begins it anew."""
    ways: dict[Smoothing, Callable[[Frames], Iterator[Posed]]] = {
        "none": iter,
        "one-euro": _one_euro,
        "savgol": _savitzky_golay,
    }
    return ways[way](frames)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Felt:
    """A track's smoothed state."""

    points: Points
    speeds: Points
    """Pixels a second."""
    seconds: float


def _one_euro(frames: Frames) -> Iterator[Posed]:
    """Casiez et al., 2012: an exponential filter whose cutoff rises with the speed."""
    felt: dict[int, _Felt] = {}
    for posed in frames:
        seconds = posed.frame.seconds
        felt = {pose.track_id: _feel(felt.get(pose.track_id), pose.keypoints, seconds=seconds) for pose in posed.poses}
        yield replace(posed, poses=tuple(replace(pose, keypoints=felt[pose.track_id].points) for pose in posed.poses))


def _feel(before: _Felt | None, points: Points, *, seconds: float) -> _Felt:
    if before is None or seconds <= before.seconds:
        return _Felt(points=points, speeds=np.zeros_like(points), seconds=seconds)
    elapsed = seconds - before.seconds
    share = _share(np.full_like(points, SPEED_CUTOFF), elapsed)
    speeds = before.speeds + share * ((points - before.points) / elapsed - before.speeds)
    share = _share(MIN_CUTOFF + BETA * np.abs(speeds), elapsed)
    return _Felt(points=before.points + share * (points - before.points), speeds=speeds, seconds=seconds)


def _share(cutoff: Points, elapsed: float) -> Points:
    """How much of a new value counts."""
    turn = 2 * math.pi * cutoff * elapsed
    return np.asarray(turn / (turn + 1))


def _savitzky_golay(frames: Frames) -> Iterator[Posed]:
    """Each pose from the polynomial through those around it; at a track's ends, through those that there are."""
    held: deque[Posed] = deque()
    due = 0
    for posed in frames:
        held.append(posed)
        if len(held) - 1 - due == HALF_WINDOW:
            yield _fitted(held, due)
            due += 1
            if due > HALF_WINDOW:
                held.popleft()
                due -= 1
    for at in range(due, len(held)):
        yield _fitted(held, at)


def _fitted(held: Sequence[Posed], at: int) -> Posed:
    return replace(held[at], poses=tuple(_fit(pose, held, at) for pose in held[at].poses))


def _fit(pose: Pose, held: Sequence[Posed], at: int) -> Pose:
    before = _run(pose.track_id, [held[index] for index in range(at - 1, max(-1, at - 1 - HALF_WINDOW), -1)])
    after = _run(pose.track_id, [held[index] for index in range(at + 1, min(len(held), at + 1 + HALF_WINDOW))])
    points = np.stack([*reversed(before), pose.keypoints, *after])
    if len(points) <= ORDER:
        return pose
    weights = savgol_coeffs(len(points), ORDER, pos=len(before), use="dot")
    return replace(pose, keypoints=np.tensordot(weights, points, axes=1))


def _run(track_id: int, frames: Iterable[Posed]) -> list[Points]:
    """A track's keypoints in the next frames, up to the first without it."""
    found: list[Points] = []
    for posed in frames:
        own = [pose.keypoints for pose in posed.poses if pose.track_id == track_id]
        if not own:
            break
        found += own
    return found
