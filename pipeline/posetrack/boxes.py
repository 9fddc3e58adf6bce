"""Detected boxes: people of val whom a detector found, in the field's two schemas.

mmpose's files name a frame by `image_id`; those of PoseWarper and DCPose by `image_name`, a path below a folder of
images. Whom a detector found has a score and no joints: a network is run on such people, and only their poses are
compared with those annotated.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from dsn.skeleton import Skeleton
from pipeline.artifacts import BoxSource, sha256
from pipeline.posetrack.annotations import below_root, corners, parse
from pipeline.posetrack.sources import find_source, listed_names
from pipeline.refusal import Refusal

ORIGINALS, COPIES = "images", "images_renamed"
"""Folders with which the name of an image may begin, or not. A copy's name stands for another frame among originals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxesConfig:
    """Whom val shows, instead of those annotated (key `data.boxes`)."""

    file: Path
    """Detections in mmpose's schema or in PoseWarper's; a path below `data.root`, so that DVC sees it change."""
    min_score: float
    """Detections below this score are left out: the field takes 0.4 for mmpose's, 0.2 for PoseWarper's and DCPose's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """One entry of a file; it has `image_id` or `image_name`."""

    bbox: tuple[float, float, float, float]
    """x, y, width, height."""
    score: float
    category_id: int = 1
    """1 is a person."""
    image_id: int | None = None
    image_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """What became of a file."""

    people: pd.DataFrame
    """Rows of the index's people, but for `person`; in order of video, frame and falling score."""
    source: BoxSource
    counts: dict[str, int]
    """Detections used, those left out by reason, and labelled frames of val without any."""


VALIDATE = TypeAdapter(list[Detection]).validate_json


def read_boxes(config: BoxesConfig, root: Path, *, frames: pd.DataFrame, skeleton: Skeleton) -> Detected:
    """The detections in val's labelled frames; no others are scored.

    Args:
        config: the file, and the least score.
        root: the dataset's folder.
        frames: the index's frames.
        skeleton: how many joints a row has, all of them unlabelled here.

    Raises:
        Refusal: the file is missing, of neither schema, or of another dataset, or no detection in it can be used.
    """
    path = root / below_root(str(config.file), "data.boxes.file")
    if not path.is_file():
        raise Refusal(f"{path}: no such file, wanted detections; set `data.boxes.file` to a path below {root}, or null")
    labeled = frames[(frames["split"] == "val") & frames["is_labeled"]]
    found = parse(path.read_bytes(), VALIDATE, path)
    places = _places(found, labeled, path, root=root)
    reasons = [_reason(one, place, config.min_score) for one, place in zip(found, places, strict=True)]
    used = [(place, one) for one, place, reason in zip(found, places, reasons, strict=True) if not reason]
    if not used:
        why = ", ".join(f"{reason}: {count}" for reason, count in Counter(reasons).most_common())
        wanted = "wanted at least one that can be used; lower `data.boxes.min_score`, or take another file"
        raise Refusal(f"{path}: got {len(found)} detections and left out all ({why}), {wanted}")
    used.sort(key=lambda pair: (pair[0], -pair[1].score))
    counts = {"used": len(used), **Counter(reason for reason in sorted(reasons) if reason)}
    without = len(labeled) - len({place for place, _ in used})
    return Detected(
        people=_rows(used, labeled, joints=len(skeleton.joints)),
        source=BoxSource(file=str(config.file), sha256=sha256(path), min_score=config.min_score),
        counts={**counts, "labelled frames without a box": without},
    )


def _places(found: Sequence[Detection], labeled: pd.DataFrame, path: Path, *, root: Path) -> list[int]:
    """For each detection the row of `labeled` that it is in; -1 for another frame."""
    by_name = all(one.image_name is not None for one in found)
    if not by_name and any(one.image_id is None for one in found):
        raise Refusal(f"{path}: got entries without image_id and without image_name, wanted the same one in all")
    if not by_name and labeled["frame_id"].duplicated().any():
        raise Refusal(f"{path}: got image_id, but PoseTrack17 has no ids of frames; wanted boxes with image_name")
    names: list[Any] = [one.image_name or "" if by_name else one.image_id for one in found]
    known: list[Any] = labeled["file" if by_name else "frame_id"].tolist()
    if by_name:
        known, folder = _own_names(known, root)
        names = [bare(name, folder=folder) for name in names]
    row_of = {name: row for row, name in enumerate(known)}
    places = [row_of.get(name, -1) for name in names]
    if max(places, default=-1) < 0:
        got, wanted = (some[0] if some else "nothing" for some in (names, known))
        raise Refusal(f"{path}: got {got}, wanted boxes in val's labelled frames, such as {wanted}")
    return places


def _own_names(files: Sequence[str], root: Path) -> tuple[list[str], str]:
    """The names that boxes may have for images at these paths, and the folder with which they may begin.

    Boxes for a merged list name images as it does, wherever these lie: DetectAndTrack's names count copies.
    """
    listed = listed_names(find_source(root), "val")
    names = [bare(listed.get(file, file), folder=ORIGINALS) for file in files]
    is_as_they_lie = names == [bare(file, folder=ORIGINALS) for file in files]
    return names, ORIGINALS if is_as_they_lie else COPIES


def bare(name: str, *, folder: str) -> str:
    """The path of an image below its folder of images, whether or not the name begins with that."""
    parts = PurePosixPath(name).parts
    return "/".join(parts[1:] if parts[:1] == (folder,) else parts)


def _reason(one: Detection, place: int, min_score: float) -> str:
    """Why a detection is left out, or nothing."""
    if one.category_id != 1:
        return "no person"
    if place < 0:
        return "not in a labelled frame of val"
    if not one.score >= min_score:
        return "score too low"
    return "" if _corners(one) else "bbox has no area"


def _corners(one: Detection) -> tuple[float, float, float, float] | None:
    x, y, width, height = one.bbox
    return corners(x, y, x + width, y + height)


def _rows(used: Sequence[tuple[int, Detection]], labeled: pd.DataFrame, *, joints: int) -> pd.DataFrame:
    """Rows of people. Track ids are negative, and each is given once in a video: nobody was tracked."""
    rows = labeled[["video", "frame", "frame_id"]].iloc[[place for place, _ in used]].reset_index(drop=True)
    columns: dict[str, Any] = {
        "track_id": -1 - rows.groupby("video", sort=False).cumcount(),
        "person_id": pd.Series([None] * len(rows), dtype="Int64"),
        "bbox": [np.array(_corners(one), dtype=np.float32) for _, one in used],
        "head_bbox": [np.full(4, np.nan, dtype=np.float32)] * len(rows),
        "keypoints": [np.zeros(3 * joints, dtype=np.float32)] * len(rows),
        "occluded": [(None,) * joints] * len(rows),
        "score": [one.score for _, one in used],
    }
    return rows.assign(**columns)
