"""The metadata of one sample: a labelled person at one keyframe, with its supporting frames."""

import json
import re
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float
from pydantic import TypeAdapter

Bbox = tuple[float, float, float, float]
Row = tuple[float, float, float]

KEY = re.compile(r"[A-Za-z0-9_-]+")
"""WebDataset ends a key at the first dot of a member's name; anything else would merge samples silently."""
LONGEST_KEY = 90
"""A member's name must fit the 100 bytes of a tar header."""


def make_key(video: str, *, frame: int, person: int) -> str:
    """The key of a sample, checked.

    Raises:
        ValueError: the video's name cannot stand in a key.
    """
    key = f"{video}-{frame:06d}-{person:03d}"
    if not KEY.fullmatch(key) or len(key) > LONGEST_KEY:
        raise ValueError(f"key: got {key!r}, wanted at most {LONGEST_KEY} letters, digits, _ and -")
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSample:
    """One sample's metadata. Points and bboxes are in pixels of the source frame."""

    key: str
    video: str
    frame: int
    """The keyframe's position in the video's list of frames."""
    frame_id: int
    person: int
    """Position of the person within the keyframe."""
    track_id: int
    keypoints: tuple[Row, ...]
    """K rows of x, y, v at the keyframe; v > 0 where labelled."""
    bbox: Bbox
    """At the keyframe; x1, y1, x2, y2."""
    neighbour_bbox: Bbox | None
    """Interpolated in time from the track's bboxes before and after the keyframe; None where either is missing."""
    head_size: float | None
    """The official evaluator's: 0.6 of the head bbox's diagonal; None where there is no head bbox."""
    to_source: tuple[Row, Row]
    """Affine from a pixel of the stored crop to the source frame; the same for every frame of the clip."""
    frames_used: tuple[int, ...]
    """Positions of the T frames, in order of time: after clipping at the video's borders and standing in for missing
    images, so a position may come twice; a supporting frame is the keyframe only where a video has no other."""
    score: float | None = None
    """The detector's; None for an annotated person. A detected one has no labelled joints and belongs to no track."""

    def __post_init__(self) -> None:
        """Refuse a key that is not this sample's own."""
        wanted = make_key(self.video, frame=self.frame, person=self.person)
        if self.key != wanted:
            raise ValueError(f"key: got {self.key!r}, wanted {wanted!r}")

    @property
    def affine(self) -> Float[np.ndarray, "2 3"]:
        """`to_source` as an array."""
        return np.array(self.to_source, dtype=np.float64)


def to_json(sample: ClipSample) -> bytes:
    """The bytes of a record's `json` member; `from_json` is the inverse."""
    values = {field.name: getattr(sample, field.name) for field in fields(sample)}  # `asdict` would copy every number
    return json.dumps(values, sort_keys=True, allow_nan=False, separators=(",", ":")).encode()


def from_json(data: bytes) -> ClipSample:
    """The sample that `to_json` wrote.

    Raises:
        ValueError: it is no sample.
    """
    return VALIDATE(data, strict=True, extra="forbid")


VALIDATE = TypeAdapter(ClipSample).validate_json
"""Checks types as well, and takes a third of the time of `json.loads`."""
