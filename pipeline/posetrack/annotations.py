"""PoseTrack18 annotation files: one JSON per video, read strictly.

Two label layouts are in use: the official `posetrack_data/annotations/{train,val}/*.json` and mmpose's
`annotations/{train,val}/*.json`. Image paths are relative to the dataset's root and start with `images/`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import TypeAdapter, ValidationError

from dsn.skeleton import Skeleton
from pipeline.refusal import Refusal

Split = Literal["train", "val"]
Bbox = tuple[float, float, float, float]

LAYOUTS = ("posetrack_data/annotations", "annotations")
GROWTH = 0.15
"""PoseTrack18's own bboxes are the labelled keypoints' extent, grown by this share on each side."""
SMALLEST = 1.0
"""Sides of a bbox below this many pixels are no bbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One entry of a file's `images`."""

    frame_id: int
    """The image's id; above 2^31, and read, never computed: its rule differs between label versions."""
    file: str
    """Path of the image, relative to the dataset's root."""
    is_labeled: bool
    """Marked as labelled, or carrying annotations; a labelled frame may show nobody."""
    size: tuple[int, int] | None
    """Height and width as the file states them; official files do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One entry of a file's `annotations`, in frame pixels."""

    frame_id: int
    annotation_id: int
    track_id: int
    """The same across the video's frames; not global."""
    keypoints: Float[np.ndarray, "K 3"]
    """x, y, v of the skeleton's joints; v is 1 where labelled, else the whole row is 0."""
    bbox: Bbox | None
    """None where the file has none with an area and there are too few keypoints to make one."""
    has_own_bbox: bool
    """False where the bbox was made from the keypoints."""
    head_bbox: Bbox | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """One annotation file."""

    name: str
    """The file's stem, such as `000342_mpii_test`."""
    split: Split
    path: Path
    frames: tuple[Frame, ...]
    """In the file's own order, which is the order of time."""
    people: tuple[Person, ...]
    nframes: int | None
    """What the file says the video's length is; it need not be the number of `frames`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Image:
    id: int
    file_name: str
    is_labeled: bool | int | None = None
    nframes: int | None = None
    height: int | None = None
    width: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Annotation:
    image_id: int
    track_id: int
    keypoints: list[float]
    id: int = -1
    bbox: list[float] | None = None
    bbox_head: list[float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Category:
    name: str
    keypoints: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


_FILE = TypeAdapter(_File)


def annotation_folder(root: Path) -> Path:
    """The folder with `train` and `val` below `root`.

    Raises:
        Refusal: `root` has neither label layout.
    """
    for layout in LAYOUTS:
        if (root / layout).is_dir():
            return root / layout
    found = "no such folder" if not root.is_dir() else f"no {LAYOUTS[0]} in it"
    raise Refusal(
        f"{root}: {found}; wanted a PoseTrack18 dataset with {LAYOUTS[0]}/{{train,val}}/*.json and images/; "
        "set `data.root` in params.yaml to its folder"
    )


def annotation_files(root: Path, split: Split) -> list[Path]:
    """The split's files in order of name.

    Raises:
        Refusal: there are none.
    """
    folder = annotation_folder(root) / split
    files = sorted(folder.glob("*.json"))
    if not files:
        raise Refusal(
            f"{folder}: got no annotation files, wanted at least one *.json; "
            "set `data.root` in params.yaml to a PoseTrack18 dataset with a train and a val split"
        )
    return files


def read_video(path: Path, *, split: Split, skeleton: Skeleton) -> Video:
    """Read one file, its joints by name into the skeleton's order.

    Raises:
        Refusal: the file is not what PoseTrack18 looks like; the message names the file and the field.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", path.stem):
        raise Refusal(f"{path}: a video's name makes keys: wanted only letters, digits, _ and - before .json")
    raw = _parse(path)
    columns = _columns(raw.categories, path, skeleton=skeleton)
    annotated = {annotation.image_id for annotation in raw.annotations}
    return Video(
        name=path.stem,
        split=split,
        path=path,
        frames=tuple(_frame(image, f"{path}: images.{n}", annotated) for n, image in enumerate(raw.images)),
        people=tuple(
            _person(annotation, f"{path}: annotations.{n}", columns=columns, joints=len(raw.categories[0].keypoints))
            for n, annotation in enumerate(raw.annotations)
        ),
        nframes=raw.images[0].nframes if raw.images else None,
    )


def _parse(path: Path) -> _File:
    try:
        return _FILE.validate_json(path.read_bytes(), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        got = "" if first["type"] in {"missing", "json_invalid"} else f", got {str(first['input'])[:40]!r}"
        raise Refusal(f"{path}: {where}: {first['msg'][0].lower()}{first['msg'][1:]}{got}") from None


def _columns(categories: Sequence[_Category], path: Path, *, skeleton: Skeleton) -> list[int]:
    """For each joint of the skeleton its position in the file's list; -1 where the file leaves out an unscored one."""
    if [category.name for category in categories] != ["person"]:
        names = [category.name for category in categories]
        raise Refusal(f"{path}: categories: got {names}, wanted exactly one, named person")
    names = categories[0].keypoints
    missing = [skeleton.joints[joint] for joint in skeleton.scored if skeleton.joints[joint] not in names]
    if missing:
        raise Refusal(f"{path}: categories.0.keypoints: joints {missing} are missing, got {names}")
    return [names.index(joint) if joint in names else -1 for joint in skeleton.joints]


def _frame(image: _Image, where: str, annotated: set[int]) -> Frame:
    file = PurePosixPath(image.file_name)
    if file.is_absolute() or ".." in file.parts:
        raise Refusal(f"{where}.file_name: got {image.file_name!r}, wanted a path that stays below the dataset's root")
    size = (image.height, image.width) if image.height is not None and image.width is not None else None
    return Frame(
        frame_id=image.id, file=str(file), is_labeled=bool(image.is_labeled) or image.id in annotated, size=size
    )


def _person(annotation: _Annotation, where: str, *, columns: Sequence[int], joints: int) -> Person:
    if len(annotation.keypoints) != 3 * joints:
        raise Refusal(f"{where}.keypoints: got {len(annotation.keypoints)} numbers, wanted {3 * joints}")
    keypoints = _keypoints(annotation.keypoints, columns)
    own = _bbox(annotation.bbox, f"{where}.bbox")
    return Person(
        frame_id=annotation.image_id,
        annotation_id=annotation.id,
        track_id=annotation.track_id,
        keypoints=keypoints,
        bbox=own or extent(keypoints),
        has_own_bbox=own is not None,
        head_bbox=_bbox(annotation.bbox_head, f"{where}.bbox_head"),
    )


def _keypoints(values: Sequence[float], columns: Sequence[int]) -> Float[np.ndarray, "K 3"]:
    """Rows in the skeleton's order; COCO's v = 2 and PoseTrack's v = 1 both mean labelled."""
    table = np.asarray([*values, 0, 0, 0], dtype=np.float64).reshape(-1, 3)[list(columns)]
    is_labeled = (table[:, 2] > 0) & np.isfinite(table).all(axis=1)
    return np.where(is_labeled[:, None], np.column_stack([table[:, :2], np.ones(len(table))]), 0.0)


def _bbox(xywh: Sequence[float] | None, where: str) -> Bbox | None:
    """Corners of a bbox that has an area, else None."""
    if not xywh:
        return None
    if len(xywh) != 4:
        raise Refusal(f"{where}: got {len(xywh)} numbers, wanted [x, y, width, height]")
    x, y, width, height = xywh
    if not np.isfinite(xywh).all() or min(width, height) < SMALLEST:
        return None
    return (x, y, x + width, y + height)


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
