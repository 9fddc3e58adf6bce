"""What every format of annotations becomes: videos, their frames, and the people in them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeVar

import numpy as np
from jaxtyping import Float
from pydantic import ValidationError

from pipeline.refusal import Refusal

T = TypeVar("T")
Occluded = tuple[bool | None, ...]
"""For each joint whether something hides it; None where it is not labelled, or the source does not say."""
Split = Literal["train", "val"]
Bbox = tuple[float, float, float, float]

GROWTH = 0.15
"""PoseTrack18's own bboxes are the labelled keypoints' extent, grown by this share on each side."""
SMALLEST = 1.0
"""Sides of a bbox below this many pixels are no bbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One image of a video."""

    frame_id: int
    """The image's id as the file has it, since its rule differs between label versions; above 2^31. PoseTrack17 has no
    ids: there it is the position in the file's list."""
    file: str
    """Path of the image, relative to the dataset's root."""
    is_labeled: bool
    """Marked as labelled, or showing somebody with a labelled joint; a labelled frame may show nobody."""
    size: tuple[int, int] | None
    """Height and width as the file states them; official files do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One annotated person in one frame, in frame pixels."""

    frame_id: int
    annotation_id: int
    """-1 where the format has none."""
    track_id: int
    """The same across the video's frames; not global."""
    person_id: int | None
    """The same across all videos; only PoseTrack21 has it."""
    keypoints: Float[np.ndarray, "K 3"]
    """x, y, v of the skeleton's joints; v is 1 where labelled, occluded or not, else the whole row is 0."""
    occluded: Occluded
    bbox: Bbox | None
    """None where the file has none with an area and there are too few keypoints to make one."""
    has_own_bbox: bool
    """False where the bbox was made from the keypoints."""
    head_bbox: Bbox | None
    """None where the file has none with an area."""
    has_head_bbox: bool
    """Whether the file has one, if without an area."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """One video of a split."""

    name: str
    """Such as `000342_mpii_test`: the stem of its file, in a merged list the folder of its images."""
    split: Split
    path: Path
    """The file that it was read from; a merged list holds many videos."""
    frames: tuple[Frame, ...]
    """In the order of time, which is the file's own: frame numbers may start anywhere and have gaps."""
    people: tuple[Person, ...]
    nframes: int | None
    """What the file says the video's length is; it need not be the number of `frames`."""
    unknown_joints: tuple[str, ...]
    """Joints of the file that the skeleton does not have; they are passed over."""


def parse(data: bytes, validate: Callable[..., T], path: Path) -> T:
    """What `validate` of a pydantic TypeAdapter makes of JSON, strictly; keys that it does not know are passed over.

    Raises:
        Refusal: it is something else; the message names the file and the first field that is wrong.
    """
    try:
        return validate(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        got = "" if first["type"] in {"missing", "json_invalid"} else f", got {str(first['input'])[:40]!r}"
        raise Refusal(f"{path}: {where}: {first['msg'][0].lower()}{first['msg'][1:]}{got}") from None


def refuse_bad_name(name: str, path: Path) -> None:
    """A video's name stands in keys of shards, which end at a dot.

    Raises:
        Refusal: the name holds anything but letters, digits, _ and -.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise Refusal(f"{path}: a video's name makes keys: got {name!r}, wanted only letters, digits, _ and -")


def below_root(name: str, where: str) -> str:
    """An image's path as an annotation gives it, normalised.

    Raises:
        Refusal: it would leave the dataset's root; `where` names the field.
    """
    file = PurePosixPath(name)
    if not file.parts or file.is_absolute() or ".." in file.parts or "\0" in name:
        raise Refusal(f"{where}: got {name!r}, wanted a path that stays below the dataset's root")
    return str(file)


def normalized(keypoints: Any, is_labeled: Any) -> Float[np.ndarray, "K 3"]:
    """Rows (x, y, 1) where labelled by finite numbers, and zeros elsewhere.

    Args:
        keypoints: K rows that begin with x, y.
        is_labeled: K booleans.
    """
    points = np.asarray(keypoints, dtype=np.float64)[:, :2]
    is_known = np.asarray(is_labeled, dtype=bool) & np.isfinite(points).all(axis=1)
    return np.where(is_known[:, None], np.column_stack([points, np.ones(len(points))]), 0.0)


def occluded(keypoints: Float[np.ndarray, "K 3"], is_hidden: Sequence[bool | None]) -> Occluded:
    """What a source says of K joints, for those that are labelled."""
    return tuple(hidden if v > 0 else None for hidden, v in zip(is_hidden, keypoints[:, 2].tolist(), strict=True))


def corners(x1: float, y1: float, x2: float, y2: float) -> Bbox | None:
    """The bbox between two corners, None where it has no area or a number is not finite."""
    if not np.isfinite([x1, y1, x2, y2]).all() or min(x2 - x1, y2 - y1) < SMALLEST:
        return None
    return (x1, y1, x2, y2)


def extent(keypoints: Float[np.ndarray, "K 3"]) -> Bbox | None:
    """PoseTrack18's rule for a bbox: around the labelled keypoints, grown by 15 % on each side; None without area."""
    points = keypoints[keypoints[:, 2] > 0, :2]
    if len(points) == 0:
        return None
    low, high = points.min(axis=0), points.max(axis=0)
    margin = GROWTH * (high - low)
    if (high - low + 2 * margin).min() < SMALLEST:
        return None
    x1, y1, x2, y2 = np.concatenate([low - margin, high + margin]).tolist()
    return (x1, y1, x2, y2)
