"""PoseTrack17 annotations: `annolist`, one video a file, as JSON or as MATLAB's .mat of the same structure.

Every scalar of the JSON is a list of one. The corners of a person's rectangle are those of the head; a joint that is
not labelled is not in the list of points.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from dsn.skeleton import POSETRACK
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
from pipeline.posetrack.matlab import read_annolist
from pipeline.refusal import Refusal

JOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    "head_bottom", "nose", "head_top",
)  # fmt: skip
"""The joint of each point id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Image:
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    id: tuple[int]
    x: tuple[float]
    y: tuple[float]
    is_visible: Any = None
    """[1] or [0] as a rule; the .mat files come from tools that also wrote text and nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Annopoints:
    point: list[_Point] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rect:
    track_id: tuple[int]
    x1: tuple[float] | None = None
    y1: tuple[float] | None = None
    x2: tuple[float] | None = None
    y2: tuple[float] | None = None
    annopoints: list[_Annopoints | list[None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    image: list[_Image]
    is_labeled: list[int] = field(default_factory=list)
    annorect: list[_Rect] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    annolist: list[_Frame]


VALIDATE = TypeAdapter(_File).validate_json


def read_video(path: Path, *, split: Split) -> Video:
    """Read one file, .json or .mat.

    Raises:
        Refusal: the file is not what PoseTrack17 looks like; the message names the file and the field.
    """
    refuse_bad_name(path.stem, path)
    raw = parse(document(path), VALIDATE, path).annolist
    return Video(
        name=path.stem,
        split=split,
        path=path,
        frames=tuple(_frame(frame, n, path) for n, frame in enumerate(raw)),
        people=tuple(_person(rect, n) for n, frame in enumerate(raw) for rect in frame.annorect),
        nframes=None,
        unknown_joints=tuple(sorted({f"point id {number}" for number in _ids(raw) if not 0 <= number < len(JOINTS)})),
    )


def document(path: Path) -> bytes:
    """A file's annotations as JSON: what the official evaluator reads."""
    return path.read_bytes() if path.suffix == ".json" else json.dumps(read_annolist(path)).encode()


def _frame(frame: _Frame, position: int, path: Path) -> Frame:
    if len(frame.image) != 1:
        raise Refusal(f"{path}: annolist.{position}.image: got {len(frame.image)} entries, wanted one")
    return Frame(
        frame_id=position,
        file=below_root(frame.image[0].name, f"{path}: annolist.{position}.image.0.name"),
        is_labeled=any(frame.is_labeled) or any(_points(rect) for rect in frame.annorect),
        size=None,
    )


def _person(rect: _Rect, position: int) -> Person:
    table, is_labeled = np.zeros((len(POSETRACK.joints), 2)), np.zeros(len(POSETRACK.joints), dtype=bool)
    is_hidden: list[bool | None] = [None] * len(POSETRACK.joints)
    for point in reversed(_points(rect)):
        joint = POSETRACK.joints.index(JOINTS[point.id[0]])
        table[joint], is_labeled[joint] = (point.x[0], point.y[0]), True
        is_hidden[joint] = _is_hidden(point)
    keypoints = normalized(table, is_labeled)
    return Person(
        frame_id=position,
        annotation_id=-1,
        track_id=rect.track_id[0],
        person_id=None,
        keypoints=keypoints,
        occluded=occluded(keypoints, is_hidden),
        bbox=extent(keypoints),
        has_own_bbox=False,
        head_bbox=_head(rect),
        has_head_bbox=None not in (rect.x1, rect.y1, rect.x2, rect.y2),
    )


def _is_hidden(point: _Point) -> bool | None:
    """None where nothing, or something else than 0 or 1, stands there."""
    value = point.is_visible[0] if isinstance(point.is_visible, list) and point.is_visible else point.is_visible
    return {"0": True, "0.0": True, "1": False, "1.0": False}.get(str(value))


def _ids(frames: list[_Frame]) -> set[int]:
    """Ids of all points."""
    return {point.id[0] for frame in frames for rect in frame.annorect for point in _listed(rect)}


def _points(rect: _Rect) -> list[_Point]:
    """Points whose ids are known; the official evaluator passes over others too."""
    return [point for point in _listed(rect) if 0 <= point.id[0] < len(JOINTS)]


def _listed(rect: _Rect) -> list[_Point]:
    first = rect.annopoints[0] if rect.annopoints else None
    return (first.point or []) if isinstance(first, _Annopoints) else []


def _head(rect: _Rect) -> Bbox | None:
    """None where a corner is missing. The corners may come in any order."""
    if rect.x1 is None or rect.y1 is None or rect.x2 is None or rect.y2 is None:
        return None
    (x1, x2), (y1, y2) = sorted([*rect.x1, *rect.x2]), sorted([*rect.y1, *rect.y2])
    return corners(x1, y1, x2, y2)
