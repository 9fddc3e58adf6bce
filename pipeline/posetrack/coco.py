"""Annotations in COCO's shape: one video a file, as in PoseTrack18, PoseTrack21 and own data, or a list of many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic import TypeAdapter

from dsn.skeleton import Skeleton
from pipeline.posetrack.annotations import (
    Bbox,
    Frame,
    Person,
    Split,
    Video,
    below_root,
    corners,
    extent,
    normalized,
    occluded,
    parse,
    refuse_bad_name,
)
from pipeline.refusal import Refusal

ALIASES = {"neck": "head_bottom", "upper_neck": "head_bottom"}
"""Other names of PoseTrack's joints; the official evaluator insists on the right-hand ones."""
Meaning = Literal["labelled", "visible", "coco"]
"""What v > 0 says of a joint. That it is labelled: in PoseTrack18, and in lists of PoseTrack, whose v is all 1 or all
2. That it is visible: in PoseTrack21, where an occluded joint has x and y with v = 0. What COCO means by it: in
own data, where 1 is occluded and 2 visible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One entry of `images`."""

    id: int
    file_name: str
    is_labeled: bool | int | None = None
    nframes: int | None = None
    frame_id: int | None = None
    height: int | None = None
    width: int | None = None
    original_file_name: str | None = None
    """Only in DetectAndTrack's lists, whose `file_name` is that of a renamed copy."""
    ignore_regions_x: list[Any] | None = None
    ignore_regions_y: list[Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One entry of `annotations`."""

    image_id: int
    track_id: int
    keypoints: list[float]
    id: int = -1
    person_id: int | None = None
    bbox: list[float] | None = None
    """x, y, width, height."""
    bbox_head: list[float] | None = None
    """x, y, width, height."""
    head_box: list[float] | None = None
    """x1, y1, x2, y2: DetectAndTrack's lists have this instead of `bbox_head`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One entry of `categories`."""

    name: str
    keypoints: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file."""

    images: list[Image]
    annotations: list[Annotation]
    categories: list[Category]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a file says about one video, each entry under its position in the file."""

    name: str
    images: dict[int, Image]
    annotations: dict[int, Annotation]
    joints: list[str]
    """Names of the file's keypoints, in its order."""
    files: Mapping[int, str] = field(default_factory=dict)
    """Where the images lie below the root, by their positions; `file_name` where none is given."""


VALIDATE = TypeAdapter(Document).validate_json


def read_document(path: Path) -> Document:
    """Read a file.

    Raises:
        Refusal: it is not of COCO's shape; the message names the file and the field.
    """
    document = parse(path.read_bytes(), VALIDATE, path)
    if [category.name for category in document.categories] != ["person"]:
        names = [category.name for category in document.categories]
        raise Refusal(f"{path}: categories: got {names}, wanted exactly one, named person")
    return document


def whole(document: Document, name: str) -> Part:
    """A file of one video."""
    return Part(
        name=name,
        images=dict(enumerate(document.images)),
        annotations=dict(enumerate(document.annotations)),
        joints=document.categories[0].keypoints,
    )


def joint_names(names: Sequence[str], skeleton: Skeleton) -> list[str]:
    """A file's names of joints, those that the skeleton does not know replaced by their other names."""
    return [name if name in skeleton.joints else ALIASES.get(name, name) for name in names]


def to_video(part: Part, path: Path, *, split: Split, skeleton: Skeleton, v_means: Meaning) -> Video:
    """One video, its joints by name into the skeleton's order.

    Args:
        part: what the file says.
        path: the file, for messages.
        split: the official split.
        skeleton: the joints wanted.
        v_means: what the file says by v. By COCO's meaning, a file in which no v is 2 says nothing of occlusion.

    Raises:
        Refusal: joints are missing, a list has a wrong length, or a path leaves the root.
    """
    refuse_bad_name(part.name, path)
    columns = _columns(part.joints, path, skeleton=skeleton)
    if v_means == "coco" and not any(2 in annotation.keypoints[2::3] for annotation in part.annotations.values()):
        v_means = "labelled"
    people = [
        _person(annotation, f"{path}: annotations.{n}", part=part, columns=columns, v_means=v_means)
        for n, annotation in part.annotations.items()
    ]
    shown = {person.frame_id for person in people if person.keypoints.any()}
    images = part.images.items()
    return Video(
        name=part.name,
        split=split,
        path=path,
        frames=tuple(_frame(image, f"{path}: images.{n}", file=part.files.get(n), shown=shown) for n, image in images),
        people=tuple(people),
        nframes=next((image.nframes for image in part.images.values()), None),
        unknown_joints=tuple(sorted(set(joint_names(part.joints, skeleton)) - set(skeleton.joints))),
    )


def _columns(given: Sequence[str], path: Path, *, skeleton: Skeleton) -> list[int]:
    """For each joint of the skeleton its position in the file's list; -1 where the file leaves out an unscored one."""
    names = joint_names(given, skeleton)
    missing = [skeleton.joints[joint] for joint in skeleton.scored if skeleton.joints[joint] not in names]
    if missing:
        raise Refusal(f"{path}: categories.0.keypoints: joints {missing} are missing, got {list(given)}")
    return [names.index(joint) if joint in names else -1 for joint in skeleton.joints]


def _frame(image: Image, where: str, *, file: str | None, shown: set[int]) -> Frame:
    size = (image.height, image.width) if image.height is not None and image.width is not None else None
    return Frame(
        frame_id=image.id,
        file=below_root(file or image.file_name, f"{where}.file_name"),
        is_labeled=bool(image.is_labeled) or image.id in shown,
        size=size,
    )


def _person(annotation: Annotation, where: str, *, part: Part, columns: Sequence[int], v_means: Meaning) -> Person:
    if len(annotation.keypoints) != 3 * len(part.joints):
        raise Refusal(f"{where}.keypoints: got {len(annotation.keypoints)} numbers, wanted {3 * len(part.joints)}")
    table = np.asarray([*annotation.keypoints, 0, 0, 0], dtype=np.float64).reshape(-1, 3)[list(columns)]
    keypoints = _keypoints(table, v_means=v_means)
    v_of_hidden = {"labelled": None, "visible": 0, "coco": 1}[v_means]
    is_hidden = [None if v_of_hidden is None else v == v_of_hidden for v in table[:, 2].tolist()]
    own = _from_xywh(annotation.bbox, f"{where}.bbox")
    return Person(
        frame_id=annotation.image_id,
        annotation_id=annotation.id,
        track_id=annotation.track_id,
        person_id=annotation.person_id,
        keypoints=keypoints,
        occluded=occluded(keypoints, is_hidden),
        bbox=own or extent(keypoints),
        has_own_bbox=own is not None,
        head_bbox=_head(annotation, where),
        has_head_bbox=bool(annotation.head_box or annotation.bbox_head),
    )


def _keypoints(table: Float[np.ndarray, "K 3"], *, v_means: Meaning) -> Float[np.ndarray, "K 3"]:
    """Rows with v = 1 where a joint is labelled, whatever v says of it."""
    is_labeled = table[:, 2] > 0
    return normalized(table, is_labeled | (table[:, :2] != 0).any(axis=1) if v_means == "visible" else is_labeled)


def _head(annotation: Annotation, where: str) -> Bbox | None:
    if annotation.head_box:
        return corners(*_four(annotation.head_box, f"{where}.head_box", wanted="[x1, y1, x2, y2]"))
    return _from_xywh(annotation.bbox_head, f"{where}.bbox_head")


def _from_xywh(xywh: Sequence[float] | None, where: str) -> Bbox | None:
    """Corners of a bbox that has an area, else None."""
    if not xywh:
        return None
    x, y, width, height = _four(xywh, where, wanted="[x, y, width, height]")
    return corners(x, y, x + width, y + height)


def _four(values: Sequence[float], where: str, *, wanted: str) -> tuple[float, float, float, float]:
    if len(values) != 4:
        raise Refusal(f"{where}: got {len(values)} numbers, wanted {wanted}")
    first, second, third, fourth = values
    return first, second, third, fourth
