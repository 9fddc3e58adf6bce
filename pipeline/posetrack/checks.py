"""What is wrong with a dataset: records that are left out, each with its reason, and counts of what stays."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from dsn.skeleton import POSETRACK, Skeleton
from pipeline.posetrack.annotations import Frame, Person, Video, annotation_files, read_video
from pipeline.refusal import Refusal

EXAMPLES = 5
"""Records named under one reason in checks.json."""
EMPTY = "neither bbox nor keypoints"
"""The one reason that is no fault: the format allows such entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """One record that is left out of the index."""

    kind: str
    """`frame` or `person`."""
    reason: str
    where: str
    """The file or the video, with frame id and track id."""
    is_bad: bool = True
    """False for entries that the format allows but that show nothing, such as people without any keypoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What remains of one video. Positions are those in the file's list, whatever was left out."""

    video: Video
    frames: tuple[tuple[int, Frame, tuple[int, int]], ...]
    """Position, frame, and (height, width) of its image."""
    people: tuple[tuple[int, Person], ...]
    """Position of the frame, and the person."""
    rejected: tuple[Rejected, ...]


def check_root(root: Path) -> None:
    """A quick look before anything long starts: both splits are there, and the first file of each can be read.

    Raises:
        Refusal: the folder is missing, incomplete, or not PoseTrack18; the message says what was wanted.
    """
    for split in ("train", "val"):
        video = read_video(annotation_files(root, split)[0], split=split, skeleton=POSETRACK)
        if video.frames and not any((root / frame.file).is_file() for frame in video.frames):
            raise Refusal(
                f"{video.path}: none of its {len(video.frames)} images exists, such as {root / video.frames[0].file}; "
                "put the images beside the annotations, below `data.root`"
            )


def sift(video: Video, root: Path) -> Kept:
    """Look at every frame's image (its header only) and every person; keep the sound ones."""
    frames, bad_frames = _sift_frames(video, root)
    people, bad_people = _sift_people(video, frames)
    return Kept(video=video, frames=tuple(frames), people=tuple(people), rejected=(*bad_frames, *bad_people))


def _sift_frames(video: Video, root: Path) -> tuple[list[tuple[int, Frame, tuple[int, int]]], list[Rejected]]:
    kept, rejected, seen = [], [], set[int]()
    for position, frame in enumerate(video.frames):
        size, reason = _look(root / frame.file)
        if frame.frame_id in seen:
            size, reason = None, "frame id twice in a file"
        seen.add(frame.frame_id)
        if size is None:
            rejected.append(Rejected(kind="frame", reason=reason, where=frame.file))
        else:
            kept.append((position, frame, size))
    return kept, rejected


def _sift_people(
    video: Video, frames: Sequence[tuple[int, Frame, tuple[int, int]]]
) -> tuple[list[tuple[int, Person]], list[Rejected]]:
    listed = {frame.frame_id for frame in video.frames}
    places = {frame.frame_id: (position, size) for position, frame, size in frames}
    kept, rejected, seen = [], [], set[tuple[int, int]]()
    for person in video.people:
        position, size = places.get(person.frame_id, (-1, None))
        reason = _fault(person, listed=listed, seen=seen, size=size)
        seen.add((person.frame_id, person.track_id))
        if reason:
            where = f"{video.name}: frame {person.frame_id}, track {person.track_id}"
            rejected.append(Rejected(kind="person", reason=reason, where=where, is_bad=reason != EMPTY))
        else:
            kept.append((position, person))
    return kept, rejected


def _look(path: Path) -> tuple[tuple[int, int] | None, str]:
    """Height and width from an image's header, or None and the reason why not."""
    try:
        if path.stat().st_size == 0:
            return None, "image is empty"
        with Image.open(path) as image:
            return (image.height, image.width), ""
    except FileNotFoundError:
        return None, "image is missing"
    except (UnidentifiedImageError, OSError):
        return None, "image is unreadable"


def _fault(person: Person, *, listed: set[int], seen: set[tuple[int, int]], size: tuple[int, int] | None) -> str:
    """Why a person is left out, or nothing."""
    if person.frame_id not in listed:
        return "image_id is not among the images"
    if size is None:
        return "its frame was left out"
    if (person.frame_id, person.track_id) in seen:
        return "track_id twice in a frame"
    if person.bbox is None:
        return EMPTY if not person.keypoints[:, 2].any() else "bbox has no area"
    x1, y1, x2, y2 = person.bbox
    if x2 <= 0 or y2 <= 0 or x1 >= size[1] or y1 >= size[0]:
        return "bbox lies outside the frame"
    return ""


def report(kept: Sequence[Kept], *, frames: pd.DataFrame, people: pd.DataFrame, skeleton: Skeleton) -> dict[str, Any]:
    """The content of checks.json: what stays, by split; what was left out, by reason; what is odd but kept."""
    rejected = [record for video in kept for record in video.rejected]
    return {
        "splits": {name: _counts(name, frames, people, skeleton) for name in ("train", "select", "val", "gap")},
        "annotation_files": dict(Counter(item.video.split for item in kept)),
        "left_out": [_reason(reason, rejected) for reason in sorted({record.reason for record in rejected})],
        "bad_share": _bad_share(kept, rejected),
        "odd": _oddities(kept),
    }


def refuse_beyond(share: float, checks: dict[str, Any], *, root: Path) -> None:
    """Stop where too much of a dataset is bad.

    Raises:
        Refusal: the share of bad frames or people is above `share`; the message names the commonest reason.
    """
    worst = max(checks["bad_share"].values())
    if worst > share:
        reason = max((item for item in checks["left_out"] if item["is_bad"]), key=lambda item: int(item["count"]))
        raise Refusal(
            f"{root}: {100 * worst:.1f} % of its records are bad, wanted at most {100 * share:g} %; mostly "
            f"{reason['reason']!r} ({reason['count']} times, such as {reason['examples'][0]}); mend the dataset or "
            "raise `prepare.max_bad_share` in params.yaml"
        )


def _counts(split: str, frames: pd.DataFrame, people: pd.DataFrame, skeleton: Skeleton) -> dict[str, int]:
    own = frames[frames["split"] == split]
    shown = people.merge(own[["video", "frame"]], on=["video", "frame"])
    joints = np.stack(shown["keypoints"].tolist()).reshape(len(shown), -1, 3) if len(shown) else np.zeros((0, 1, 3))
    labeled = joints[:, list(skeleton.scored), 2] > 0 if len(shown) else joints[:, :, 2] > 0
    return {
        "videos": int(own["video"].nunique()),
        "frames": len(own),
        "labeled_frames": int(own["is_labeled"].sum()),
        "people": len(shown),
        "labeled_people": int(labeled.any(axis=1).sum()),
        "labeled_joints": int(labeled.sum()),
    }


def _reason(reason: str, rejected: Sequence[Rejected]) -> dict[str, Any]:
    records = [record for record in rejected if record.reason == reason]
    return {
        "reason": reason,
        "kind": records[0].kind,
        "is_bad": records[0].is_bad,
        "count": len(records),
        "examples": [record.where for record in records[:EXAMPLES]],
    }


def _bad_share(kept: Sequence[Kept], rejected: Sequence[Rejected]) -> dict[str, float]:
    totals = {
        "frame": sum(len(item.video.frames) for item in kept),
        "person": sum(len(item.video.people) for item in kept),
    }
    bad = Counter(record.kind for record in rejected if record.is_bad)
    return {kind: bad[kind] / max(1, total) for kind, total in totals.items()}


def _oddities(kept: Sequence[Kept]) -> dict[str, int]:
    """Counts of what is unusual but harmless."""
    people = [person for item in kept for _, person in item.people]
    repeats = Counter(person.annotation_id for person in people if person.annotation_id >= 0)
    return {
        "videos_whose_nframes_differs": sum(item.video.nframes not in {None, len(item.video.frames)} for item in kept),
        "frames_whose_stated_size_differs": sum(
            frame.size not in {None, size} for item in kept for _, frame, size in item.frames
        ),
        "labeled_frames_without_people": sum(_empty_frames(item) for item in kept),
        "people_without_keypoints": sum(not person.keypoints[:, 2].any() for person in people),
        "people_without_head_bbox": sum(person.head_bbox is None for person in people),
        "bboxes_made_from_keypoints": sum(not person.has_own_bbox for person in people),
        "annotation_ids_repeated": sum(count - 1 for count in repeats.values()),
        "joints_outside_the_frame": sum(_joints_outside(item) for item in kept),
    }


def _empty_frames(item: Kept) -> int:
    shown = {position for position, _ in item.people}
    return sum(frame.is_labeled and position not in shown for position, frame, _ in item.frames)


def _joints_outside(item: Kept) -> int:
    sizes = {position: size for position, _, size in item.frames}
    return sum(_outside(person, sizes[position]) for position, person in item.people)


def _outside(person: Person, size: tuple[int, int]) -> int:
    x, y, v = person.keypoints.T
    return int(((v > 0) & ((x < 0) | (y < 0) | (x > size[1] - 1) | (y > size[0] - 1))).sum())
