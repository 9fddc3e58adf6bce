"""The people of a video as arrays: what every PoseTrack metric is computed from."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

JOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    "neck", "nose", "head_top",
)  # fmt: skip
"""The 15 evaluated joints by PoseTrack17's ids, which also give the order of every result."""

GROUPS = {
    "Head": ("head_top", "neck", "nose"),
    "Shou": ("right_shoulder", "left_shoulder"),
    "Elb": ("right_elbow", "left_elbow"),
    "Wri": ("right_wrist", "left_wrist"),
    "Hip": ("right_hip", "left_hip"),
    "Knee": ("right_knee", "left_knee"),
    "Ankl": ("right_ankle", "left_ankle"),
}
"""The columns of the official table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """n people in ascending order of frame, and within a frame in the file's order."""

    frame: Int64[np.ndarray, " n"]
    """Position of the frame, from 0."""
    keypoints: Float64[np.ndarray, "n 15 2"]
    """(x, y) in pixels, in the order of `JOINTS`; 0 where absent."""
    present: Bool[np.ndarray, "n 15"]
    """Annotated, or predicted."""
    scores: Float64[np.ndarray, "n 15"]
    """-9999 where the file gives none."""
    head_size: Float64[np.ndarray, " n"]
    """0.6 times the diagonal of the head box, in pixels; NaN without a head box."""
    track_id: Int64[np.ndarray, " n"]
    """0 where the file gives none."""
    is_tracked: Bool[np.ndarray, " n"]
    """Whether the file gives a track id."""
    has_points: Bool[np.ndarray, " n"]
    """Whether the entry has a list of keypoints at all; only PoseTrack17 leaves it out."""


def take(people: People, rows: Int64[np.ndarray, " m"] | Bool[np.ndarray, " n"]) -> People:
    """Some of the people, by a mask or by ascending positions."""
    return People(
        frame=people.frame[rows],
        keypoints=people.keypoints[rows],
        present=people.present[rows],
        scores=people.scores[rows],
        head_size=people.head_size[rows],
        track_id=people.track_id[rows],
        is_tracked=people.is_tracked[rows],
        has_points=people.has_points[rows],
    )


def select_frames(people: People, frames: Int64[np.ndarray, " f"]) -> People:
    """The people of the ascending positions `frames`, with these renumbered from 0."""
    position = np.minimum(np.searchsorted(frames, people.frame), max(len(frames) - 1, 0))
    selected = frames[position] == people.frame if len(frames) else np.zeros(len(people.frame), dtype=np.bool_)
    return replace(take(people, selected), frame=position[selected])


def frame_starts(people: People, frames: int) -> Int64[np.ndarray, " f_plus_1"]:
    """Rows of frame i are `starts[i]:starts[i + 1]`."""
    return np.searchsorted(people.frame, np.arange(frames + 1))


def ragged(starts: Int64[np.ndarray, " m"], counts: Int64[np.ndarray, " m"]) -> Int64[np.ndarray, " total"]:
    """`starts[0], starts[0] + 1, ...` (`counts[0]` of them), then the same for `starts[1]`, and so on."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(counts.sum())


def head_sizes(corners: Float64[np.ndarray, "n 4"]) -> Float64[np.ndarray, " n"]:
    """0.6 times the diagonal of head boxes (x1, y1, x2, y2): the unit in which distances are measured."""
    diagonal: Float64[np.ndarray, " n"] = np.sqrt(((corners[:, 2:] - corners[:, :2]) ** 2).sum(axis=1))
    return 0.6 * diagonal
