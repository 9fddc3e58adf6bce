"""What is wrong with a dataset's records: which are left out, and why. Nothing of the dataset is changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.posetrack.annotations import Bbox, Frame, Person, Video
from pipeline.posetrack.cases import Case, Shot, shot
from pipeline.posetrack.images import look
from pipeline.posetrack.sources import find_source, read_videos
from pipeline.refusal import Refusal

LOST = "its frame was left out"
"""What follows from a bad frame."""
EMPTY = "neither bbox nor keypoints"
"""The one reason that is no fault: the format allows such entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckConfig:
    """What is bad, what is odd, and how much of it is too much (section `prepare.checks`)."""

    max_bad_share: float
    """Share of bad frames, or of bad people, above which the dataset is refused."""
    max_leaked_share: float
    """Share of val's videos with footage of training videos in them above which the dataset is refused."""
    far_outside: float
    """Sides of its frame by which a bbox may reach beyond it; whoever reaches further is left out."""
    jump: float
    """Sides of its bboxes by which a track may move between two consecutive labelled frames; more is odd."""
    decode: bool
    """Decode every image whole, instead of looking at its header and at its last bytes."""

    def __post_init__(self) -> None:
        """Refuse shares that are none, and limits below nothing."""
        for name in ("max_bad_share", "max_leaked_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: got {getattr(self, name)}, wanted 0 to 1")
        for name in ("far_outside", "jump"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: got {getattr(self, name)}, wanted more than 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """One record that is left out of the index."""

    kind: Literal["frame", "person"]
    case: Case
    is_bad: bool
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
        Refusal: the folder is missing, incomplete, or of no known format; the message says what was wanted.
    """
    source = find_source(root)
    for split in ("train", "val"):
        video = next(read_videos(source, split))
        if video.frames and not any((root / frame.file).is_file() for frame in video.frames):
            raise Refusal(
                f"{video.path}: none of its {len(video.frames)} images exists, such as {root / video.frames[0].file}; "
                "put the images beside the annotations, below `data.root`"
            )


def sift(video: Video, root: Path, config: CheckConfig) -> Kept:
    """Look at every frame's image and every person; keep the sound ones."""
    frames, bad_frames = _sift_frames(video, root, decode=config.decode)
    people, bad_people = _sift_people(video, frames, far_outside=config.far_outside)
    return Kept(video=video, frames=tuple(frames), people=tuple(people), rejected=(*bad_frames, *bad_people))


def _sift_frames(
    video: Video, root: Path, *, decode: bool
) -> tuple[list[tuple[int, Frame, tuple[int, int]]], list[Rejected]]:
    kept, rejected, seen = [], [], set[int]()
    for position, frame in enumerate(video.frames):
        size, reason = look(root / frame.file, decode=decode)
        if frame.frame_id in seen:
            size, reason = None, "frame id twice in a file"
        seen.add(frame.frame_id)
        if size is None:
            case = Case(reason=reason, where=frame.file, badness=0.0, shots=(shot(frame.file),))
            rejected.append(Rejected(kind="frame", case=case, is_bad=True))
        else:
            kept.append((position, frame, size))
    return kept, rejected


def _sift_people(
    video: Video, frames: Sequence[tuple[int, Frame, tuple[int, int]]], *, far_outside: float
) -> tuple[list[tuple[int, Person]], list[Rejected]]:
    listed = {frame.frame_id: frame for frame in reversed(video.frames)}
    places = {frame.frame_id: (position, size) for position, frame, size in frames}
    kept, rejected, seen = [], [], set[tuple[int, int]]()
    for person in video.people:
        position, size = places.get(person.frame_id, (-1, None))
        twice = (person.frame_id, person.track_id) in seen
        reason = _fault(person, is_listed=person.frame_id in listed, twice=twice, size=size, far_outside=far_outside)
        if reason:
            case = Case(
                reason=reason,
                where=f"{video.name}: frame {person.frame_id}, track {person.track_id}{_told(person.bbox)}",
                badness=_reach(person.bbox, size),
                shots=() if reason == LOST else _shots(person, listed.get(person.frame_id)),
            )
            rejected.append(Rejected(kind="person", case=case, is_bad=reason != EMPTY))
        else:
            seen.add((person.frame_id, person.track_id))
            kept.append((position, person))
    return kept, rejected


def _fault(person: Person, *, is_listed: bool, twice: bool, size: tuple[int, int] | None, far_outside: float) -> str:
    """Why a person is left out, or nothing."""
    if not is_listed:
        return "image_id is not among the images"
    if size is None:
        return LOST
    if person.bbox is None:
        return EMPTY if not person.keypoints[:, 2].any() else "bbox has no area"
    if twice:
        return "track_id twice in a frame"
    x1, y1, x2, y2 = person.bbox
    if x2 <= 0 or y2 <= 0 or x1 >= size[1] or y1 >= size[0]:
        return "bbox lies outside the frame"
    return "bbox reaches far outside the frame" if _reach(person.bbox, size) > far_outside else ""


def _reach(bbox: Bbox | None, size: tuple[int, int] | None) -> float:
    """How far a bbox reaches beyond its frame, in sides of the frame."""
    if bbox is None or size is None:
        return 0.0
    (x1, y1, x2, y2), (height, width) = bbox, size
    return max(0.0, -x1 / width, x2 / width - 1, -y1 / height, y2 / height - 1)


def _told(bbox: Bbox | None) -> str:
    return "" if bbox is None else f", bbox {', '.join(f'{side:.0f}' for side in bbox)}"


def _shots(person: Person, frame: Frame | None) -> tuple[Shot, ...]:
    return () if frame is None else (shot(frame.file, bbox=person.bbox, keypoints=person.keypoints),)
