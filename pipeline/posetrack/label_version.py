"""Which labels a dataset has: results are comparable on one version alone, and no file tells it."""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.posetrack.annotations import Video

UNKNOWN = "unknown"
KNOWN = {
    (74, 3_902): "PoseTrack18 v0.2",
    (170, 8_923): "PoseTrack18 v0.45",
}
"""Versions by what is counted in val: videos, and frames that the official evaluator scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelVersion:
    """What val's labels are told by."""

    videos: int
    """Officially one file each."""
    evaluated_frames: int
    """Frames with at least one annotation: those that the official evaluator scores."""
    name: str
    """One of `KNOWN`, or `unknown`."""


def label_version(videos: Iterable[Video]) -> LabelVersion:
    """The version of the labels of val, by its videos as they were read, whatever was left out later."""
    val = [video for video in videos if video.split == "val"]
    frames = sum(_evaluated_frames(video) for video in val)
    return LabelVersion(videos=len(val), evaluated_frames=frames, name=KNOWN.get((len(val), frames), UNKNOWN))


def _evaluated_frames(video: Video) -> int:
    return len({frame.frame_id for frame in video.frames} & {person.frame_id for person in video.people})
