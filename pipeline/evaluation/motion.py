"""How fast people move, by their labels around a keyframe."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float64

from pipeline.evaluation.errors import Labels
from pipeline.shards.sample import ClipSample

BINS = {"[0, 0.1)": (0.0, 0.1), "[0.1, 0.3)": (0.1, 0.3), "[0.3, 0.6)": (0.3, 0.6), "[0.6, inf)": (0.6, np.inf)}
"""Head sizes a frame, by name."""
EVERYONE = "all"
"""The name of all bins together, and of people whose motion is not known."""


def motion(samples: Sequence[ClipSample], labels: Labels, *, people: pd.DataFrame) -> Float64[np.ndarray, " N"]:
    """Head sizes that a person's joints move in one frame, on average; NaN where labels do not tell.

    It is read from the labels of the same track before and after the keyframe, the nearest ones.

    Args:
        samples: people at keyframes.
        labels: theirs, which hold the head sizes.
        people: the index's annotated people, with `video`, `frame`, `track_id` and `keypoints` (3K: x, y, v).
    """
    tracks = {name: rows.sort_values("frame") for name, rows in people.groupby(["video", "track_id"])}
    found = [_distance(tracks.get((sample.video, sample.track_id)), frame=sample.frame) for sample in samples]
    speed: Float64[np.ndarray, " N"] = np.array(found) / labels.unit
    return speed


def _distance(track: pd.DataFrame | None, *, frame: int) -> float:
    """Pixels a frame between the labels before and after `frame`."""
    if track is None:
        return np.nan
    frames = track["frame"].to_numpy(dtype=np.int64)
    before, after = np.searchsorted(frames, frame, side="left") - 1, np.searchsorted(frames, frame, side="right")
    if before < 0 or after >= len(frames):
        return np.nan
    first, last = (np.asarray(track["keypoints"].iloc[row], dtype=np.float64).reshape(-1, 3) for row in (before, after))
    both = (first[:, 2] > 0) & (last[:, 2] > 0)
    if not both.any():
        return np.nan
    moved = np.linalg.norm(last[both, :2] - first[both, :2], axis=1).mean()
    return float(moved / (frames[after] - frames[before]))
