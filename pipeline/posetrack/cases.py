"""Cases: records that are worth a look, each with all that it takes to draw it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pipeline.posetrack.annotations import Bbox

EXAMPLES = 5
"""Cases kept of one reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One frame of a case, and what is drawn over it; in frame pixels."""

    file: str
    """Path of the image, relative to the dataset's root."""
    bbox: Bbox | None
    keypoints: tuple[tuple[float, float, float], ...]
    """K rows of x, y, v, or none where the case is about the frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One record that is bad or odd."""

    reason: str
    where: str
    """The file or the video, with frame id and track id."""
    badness: float
    """Orders the cases of one reason, the largest first; its unit is the reason's own."""
    shots: tuple[Shot, ...]
    """The frame, or the two that do not go together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found for one reason."""

    reason: str
    count: int
    """How many there are."""
    cases: list[Case]
    """The worst few of them, or all."""


def shot(file: str, *, bbox: Bbox | None = None, keypoints: Float[np.ndarray, "K 3"] | None = None) -> Shot:
    """A frame, with a person on it to a tenth of a pixel, or alone."""
    corners = None
    if bbox is not None:
        x1, y1, x2, y2 = (round(side, 1) for side in bbox)
        corners = (x1, y1, x2, y2)
    rows = [] if keypoints is None else np.round(keypoints.astype(np.float64), 1).tolist()
    return Shot(file=file, bbox=corners, keypoints=tuple((x, y, v) for x, y, v in rows))


def worst(cases: Iterable[Case]) -> list[Case]:
    """Of each reason the worst few, the reasons in order of name."""
    ordered = sorted(cases, key=lambda case: (case.reason, -case.badness))
    kept: list[Case] = []
    for case in ordered:
        if sum(other.reason == case.reason for other in kept[-EXAMPLES:]) < EXAMPLES:
            kept.append(case)
    return kept
