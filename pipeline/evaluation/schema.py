"""The shape of PoseTrack's JSON files, as far as the official evaluator looks at them; other keys are passed over."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from pipeline.posetrack.official import TRACK_BOUND
from pipeline.refusal import Refusal

Id = Annotated[int, Field(ge=-(2**63), lt=2**63)]
TrackId = Annotated[int, Field(ge=-(2**63), lt=TRACK_BOUND)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A frame of a PoseTrack18 file."""

    id: Id
    file_name: str
    ignore_regions_x: list[list[float]] | None = None
    ignore_regions_y: list[list[float]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A person of a PoseTrack18 file."""

    image_id: Id
    track_id: TrackId
    keypoints: list[float]
    scores: list[float] | None = None
    bbox_head: list[float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """The names of the keypoints of a PoseTrack18 file."""

    name: str
    keypoints: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageName:
    """The image of a PoseTrack17 frame."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Corner:
    """A vertex of an ignore region of PoseTrack17."""

    x: tuple[float]
    y: tuple[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """An ignore region of PoseTrack17."""

    point: list[Corner]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A keypoint of PoseTrack17."""

    id: tuple[Id] | None = None
    x: tuple[float]
    y: tuple[float]
    score: tuple[float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Annopoints:
    """The keypoints of a person of PoseTrack17."""

    point: list[Point] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rect:
    """A person of PoseTrack17; the corners are the head's."""

    track_id: tuple[TrackId] | None = None
    annopoints: list[Annotated[Annopoints | list[None] | None, Field(union_mode="left_to_right")]] | None = None
    x1: tuple[float] | None = None
    y1: tuple[float] | None = None
    x2: tuple[float] | None = None
    y2: tuple[float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame of a PoseTrack17 file."""

    annorect: list[Rect]
    image: list[ImageName] | None = None
    ignore_regions: list[Region] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file of either kind: PoseTrack17 where `annolist` is there, otherwise PoseTrack18."""

    annolist: list[Frame] | None = None
    images: list[Image] | None = None
    annotations: list[Annotation] | None = None
    categories: list[Category] | None = None


DOCUMENT = TypeAdapter(Document)


def read_document(path: Path) -> Document:
    """Read a file of either kind.

    Raises:
        Refusal: it is not JSON, or a key is missing or holds something else; the message names file, frame and field.
    """
    return parse_document(path, read_bytes(path))


def read_bytes(path: Path) -> bytes:
    """A file's bytes; refuses one that cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refusal(f"{path}: cannot be read: {error.strerror}") from None


def parse_document(path: Path, data: bytes) -> Document:
    """What `read_document` does, of bytes that were read from `path`."""
    try:
        return DOCUMENT.validate_json(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Refusal(f"{path}: {_describe(data, first['loc'], first)}") from None


def _describe(data: bytes, loc: tuple[int | str, ...], error: Any) -> str:
    message = f"{error['msg'][0].lower()}{error['msg'][1:]}"
    if error["type"] == "json_invalid":
        return f"{message}; wanted a PoseTrack17 or PoseTrack18 JSON file"
    if not loc:
        return f"got {type(error['input']).__name__} at the top, wanted an object with `images` or `annolist`"
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")
    got = "nothing" if error["type"] == "missing" else repr(error["input"])[:60]
    return f"{_frame(data, loc)}{where}: got {got}; {message}"


def _frame(data: bytes, loc: tuple[int | str, ...]) -> str:
    """The frame that the place `loc` belongs to, for an error message."""
    match loc:
        case ("images" | "annolist", int(position), *_):
            return f"frame {position}: "
        case ("annotations", int(position), _, *_):
            return f"frame {json.loads(data)['annotations'][position].get('image_id')}: "
        case _:
            return ""
