"""Boxes from files: PoseTrack18's own, mmpose's and PoseWarper's, found again among the frames of some footage."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pipeline.inference.footage import Footage
from pipeline.inference.people import Found
from pipeline.posetrack import coco
from pipeline.posetrack.annotations import Bbox, corners, extent, normalized, parse
from pipeline.posetrack.boxes import VALIDATE, Detection
from pipeline.refusal import Refusal

POSETRACK18_IDS = 10**10
"""PoseTrack18's ids of frames are a digit for the video's source, six of the video and four of the frame."""
IN_OTHER_FRAMES = "in frames that there are not"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One box of a file."""

    folder: str
    """Of the frame's image, or the digits that its name begins with; empty where the file does not say."""
    frame: str
    """The image's name without ending, or its number."""
    bbox: Bbox | None
    """None where it has no area."""
    score: float
    track_id: int | None
    is_person: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBoxes:
    """The boxes of some footage."""

    by_position: dict[int, tuple[Found, ...]]
    counts: dict[str, int]
    """Boxes used, and those left out by reason."""
    is_tracked: bool
    """Whether the file says who is who."""


def read_entries(path: Path) -> list[Entry]:
    """The boxes of a file.

    Raises:
        Refusal: it is missing, or of none of the schemas; the message names the field.
    """
    if not path.is_file():
        raise Refusal(f"{path}: no such file, wanted boxes: PoseTrack18's JSON, or detections as mmpose has them")
    data = path.read_bytes()
    if data.lstrip()[:1] == b"{":
        return _annotated(coco.read_document(path))
    return [_detected(one, number, path) for number, one in enumerate(parse(data, VALIDATE, path))]


def boxes_of(footage: Footage, entries: Sequence[Entry], *, min_score: float, path: Path, is_only: bool) -> FileBoxes:
    """Those boxes that lie in frames of the footage.

    Images are found by their names; frames of a video by the number in the name, counted from 0. Only boxes of a folder
    with the footage's name count, unless there is nothing to mistake: one folder in the file, and no other footage.

    Args:
        footage: whose frames.
        entries: all boxes of the file.
        min_score: boxes below it are left out.
        path: the file.
        is_only: whether no other footage takes its boxes from this file.

    Raises:
        Refusal: none does, one person is twice in a frame, or a box of a file for several does not say whose it is.
    """
    if not is_only and any(not entry.folder for entry in entries):
        raise Refusal(f"{path}: got boxes that do not say of which video, wanted one video; predict them one by one")
    own = _of_folder(footage, entries, is_only=is_only)
    positions = {_plain(Path(footage.frame_name(at)).stem): at for at in range(len(footage.images))}
    by_position: dict[int, list[Found]] = {}
    counts: Counter[str] = Counter()
    for entry in own:
        position = positions.get(_plain(entry.frame)) if footage.images else _numbered(entry.frame, footage.count)
        reason = _reason(entry, position, min_score)
        counts[reason or "used"] += 1
        if not reason and entry.bbox is not None and position is not None:
            found = Found(bbox=entry.bbox, score=entry.score, track_id=entry.track_id)
            by_position.setdefault(position, []).append(found)
    if entries and counts[IN_OTHER_FRAMES] == len(own):
        raise Refusal(
            f"{path}: got boxes in {entries[0].folder}/{entries[0].frame}, wanted some in the frames of "
            f"{footage.source}, such as {footage.frame_name(0)}"
        )
    is_tracked = bool(own) and all(entry.track_id is not None for entry in own)
    if is_tracked:
        _refuse_twins(by_position, footage, path)
    return FileBoxes(
        by_position={at: tuple(found) for at, found in by_position.items()}, counts=dict(counts), is_tracked=is_tracked
    )


def _annotated(document: coco.Document) -> list[Entry]:
    names = {image.id: image.file_name for image in document.images}
    known = [annotation for annotation in document.annotations if annotation.image_id in names]
    return [
        _entry(names[one.image_id], bbox=_annotated_bbox(one), score=1.0, track_id=one.track_id, is_person=True)
        for one in known
    ]


def _annotated_bbox(one: coco.Annotation) -> Bbox | None:
    """The file's, or where it has none that of the keypoints."""
    if one.bbox is not None and len(one.bbox) == 4:
        return _corners(one.bbox)
    points = np.asarray(one.keypoints, dtype=np.float64).reshape(-1, 3)
    return extent(normalized(points, points[:, 2] > 0))


def _detected(one: Detection, number: int, path: Path) -> Entry:
    values: dict[str, Any] = {
        "bbox": _corners(one.bbox),
        "score": one.score,
        "track_id": None,
        "is_person": one.category_id == 1,
    }
    if one.image_name is not None:
        return _entry(one.image_name, **values)
    if one.image_id is None:
        raise Refusal(f"{path}: {number}: got neither image_id nor image_name, wanted one of them")
    if one.image_id < POSETRACK18_IDS:
        return Entry(folder="", frame=str(one.image_id), **values)
    video, frame = divmod(one.image_id % POSETRACK18_IDS, 10_000)
    return Entry(folder=f"{video:06d}", frame=str(frame), **values)


def _entry(file_name: str, **values: Any) -> Entry:
    path = PurePosixPath(file_name)
    return Entry(folder=path.parent.name, frame=path.stem, **values)


def _corners(xywh: Sequence[float]) -> Bbox | None:
    x, y, width, height = xywh
    return corners(x, y, x + width, y + height)


def _of_folder(footage: Footage, entries: Sequence[Entry], *, is_only: bool) -> list[Entry]:
    if is_only and len({entry.folder for entry in entries}) < 2:
        return list(entries)
    names = {footage.name, footage.name.partition("_")[0]}
    return [entry for entry in entries if entry.folder in names]


def _plain(name: str) -> str:
    """Numbers without zeros before them."""
    return str(int(name)) if name.isdecimal() else name


def _numbered(name: str, count: int) -> int | None:
    """The position that a number names in a video; None where it lies behind the video's end."""
    return int(name) if name.isdecimal() and (not count or int(name) < count) else None


def _reason(entry: Entry, position: int | None, min_score: float) -> str:
    """Why a box is left out, or nothing."""
    if not entry.is_person:
        return "no person"
    if position is None:
        return IN_OTHER_FRAMES
    if not entry.score >= min_score:
        return "score too low"
    return "" if entry.bbox is not None else "without area"


def _refuse_twins(by_position: dict[int, list[Found]], footage: Footage, path: Path) -> None:
    for position, found in by_position.items():
        (track, times), *_ = Counter(one.track_id for one in found).most_common(1)
        if times > 1:
            raise Refusal(f"{path}: {footage.frame_name(position)}: got track_id {track} twice, wanted it once a frame")
