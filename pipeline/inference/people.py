"""People in a frame, from a bbox somebody found to a pose."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from pipeline.inference.footage import Frame
from pipeline.shards.crop import Region
from pipeline.shards.sample import Bbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Somebody whom a file names or a detector saw."""

    bbox: Bbox
    score: float
    track_id: int | None
    """None where nobody said who it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """Somebody who is known from frame to frame, and where to look at them."""

    track_id: int
    bbox: Bbox
    score: float
    region: Region
    """Of the frames of the whole window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """One person's."""

    track_id: int
    bbox: Bbox
    score: float
    """Of the bbox."""
    keypoints: Float64[np.ndarray, "K 2"]
    """In pixels of the frame."""
    scores: Float64[np.ndarray, " K"]
    """Of the joints: the heatmaps' maxima."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posed:
    """A frame, and everybody in it."""

    frame: Frame
    poses: tuple[Pose, ...]
