"""Poses of everybody in a running video: who is where, windows that share their work, and every frame handed on."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from dsn.streaming import look_ahead
from pipeline.inference.boxes import FileBoxes
from pipeline.inference.detector import Detector
from pipeline.inference.footage import Frame
from pipeline.inference.people import Followed, Found, Posed
from pipeline.inference.reading import Reader, Wanted
from pipeline.inference.steady import SteadyConfig, steady_region
from pipeline.inference.tracker import TrackConfig, Tracker
from pipeline.posetrack.annotations import corners
from pipeline.shards.crop import Region
from pipeline.shards.sample import Bbox

STEADY = SteadyConfig(margin=1.05, zoom=1.25, shift=0.05)
"""When a crop is given up (see `benchmarks.stable_crops` for what others cost)."""
TRACK = TrackConfig(min_overlap=0.3, confident=0.5, new=0.5, patience=15)
"""When two bboxes are the same person. A detector's weak bboxes are mostly somebody hidden, so none is somebody new."""
DOUBTFUL = "doubtful and of no track"
"""Why a detector's bbox is left out: it is of a low score, and follows nobody."""
MOST_WAITING = 8
"""Keyframes that wait until there are enough people for a batch."""

Finder = Callable[[Frame], list[tuple[int, Found]]]
"""Everybody in a frame with a track id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shot:
    """A frame whose poses are still to be read."""

    frame: Frame
    people: tuple[Followed, ...]


def from_file(boxes: FileBoxes) -> Finder:
    """Everybody of a file's boxes, followed from frame to frame unless the file says who is who.

    Which scores count was said when the file was read, so that each of its boxes is somebody.
    """
    tracker = Tracker(replace(TRACK, new=0.0))

    def find(frame: Frame) -> list[tuple[int, Found]]:
        found = boxes.by_position.get(frame.position, ())
        if boxes.is_tracked:
            return [(one.track_id, one) for one in found if one.track_id is not None]
        return tracker.follow(found, position=frame.position)

    return find


def from_detector(detector: Detector, *, min_score: float, counts: dict[str, int]) -> Finder:
    """Everybody whom a detector sees, followed from frame to frame; `counts` tells boxes used and left out."""
    tracker = Tracker(TRACK)

    def find(frame: Frame) -> list[tuple[int, Found]]:
        found = [one for one in detector(frame.image) if one.score >= min_score]
        followed = tracker.follow(found, position=frame.position)
        for what, more in (("used", len(followed)), (DOUBTFUL, len(found) - len(followed))):
            counts[what] = counts.get(what, 0) + more
        return followed

    return find


def predict(
    frames: Iterable[Frame],
    find: Finder,
    reader: Reader,
    *,
    size: tuple[int, int],
    batch: int,
    is_wished: Callable[[], bool],
) -> Iterator[Posed]:
    """Every frame in its order, with the poses of everybody in it; nobody is read in a frame that is unreadable.

    A frame comes when its window's last frame is there, and when enough people wait for a batch. As many frames are
    held as a window and a batch have, whatever the video's length.

    Args:
        frames: of the video.
        find: says who is where.
        reader: reads poses.
        size: height and width of the network's input.
        batch: people that make a batch; 1 hands on each frame as soon as it can be read.
        is_wished: whether to stop; the frames that were read from the video before still follow.
    """
    offsets = reader.offsets
    ahead, behind = look_ahead((0, *offsets)), -min((0, *offsets))
    kept: dict[int, Frame] = {}
    waiting: list[_Shot] = []
    regions: dict[int, Region] = {}
    newest = 0
    for frame in frames:
        newest = frame.position
        kept[newest] = frame
        shot = _followed(frame, find, regions, size=size)
        regions = {who.track_id: who.region for who in shot.people} if frame.is_readable else regions
        waiting.append(shot)
        ready = [one for one in waiting if one.frame.position + ahead <= newest]
        if len(ready) >= MOST_WAITING or sum(len(one.people) for one in ready) >= batch or (batch == 1 and ready):
            yield from _read(ready, reader, kept, newest=newest)
            waiting = waiting[len(ready) :]
            oldest = (waiting[0].frame.position if waiting else newest + 1) - behind - 1
            kept = {position: held for position, held in kept.items() if position >= oldest}
        if is_wished():
            break
    yield from _read(waiting, reader, kept, newest=newest)


def _followed(frame: Frame, find: Finder, regions: dict[int, Region], *, size: tuple[int, int]) -> _Shot:
    height, width = frame.image.shape[:2]
    found = find(frame) if frame.is_readable else []
    inside = [(track, one, _inside(one.bbox, width=width, height=height)) for track, one in found]
    region = partial(steady_region, size=size, config=STEADY)
    people = tuple(
        Followed(track_id=track, bbox=bbox, score=one.score, region=region(regions.get(track), one.bbox))
        for track, one, bbox in inside
        if bbox is not None
    )
    return _Shot(frame=frame, people=people)


def _inside(bbox: Bbox, *, width: int, height: int) -> Bbox | None:
    """The part of a bbox that lies in the frame; None where it is less than a pixel wide or high."""
    x1, y1, x2, y2 = bbox
    return corners(max(0.0, x1), max(0.0, y1), min(float(width), x2), min(float(height), y2))


def _read(shots: list[_Shot], reader: Reader, kept: dict[int, Frame], *, newest: int) -> Iterator[Posed]:
    wanted = [Wanted(position=shot.frame.position, who=who) for shot in shots for who in shot.people]
    poses = iter(reader.read(wanted, {at: frame.image for at, frame in kept.items()}, last=newest) if wanted else [])
    for shot in shots:
        yield Posed(frame=shot.frame, poses=tuple(next(poses) for _ in shot.people))
