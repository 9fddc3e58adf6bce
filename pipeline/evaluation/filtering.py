"""Which frames, people and joints count; section 3 of the protocol."""

from dataclasses import dataclass, replace

import numpy as np
import shapely
from jaxtyping import Bool, Float64, Int64

from pipeline.evaluation.people import People, frame_starts, select_frames, take
from pipeline.evaluation.video import Video, refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What is left of a video: frames renumbered from 0, in both lists of people."""

    video: Video
    """The ground truth that they come from."""
    frames: Int64[np.ndarray, " f"]
    """Positions in the video."""
    truth: People
    prediction: People


def keep_evaluated(truth: Video, prediction: Video) -> Evaluated:
    """Frames with at least one ground-truth entry, people with points, joints outside ignore regions.

    In a frame with an ignore region, whoever has no joint is left out; elsewhere such people stay.

    Raises:
        Refusal: an ignore region has one or two vertices, or a vertex that is not finite.
    """
    frames = np.flatnonzero(truth.entries)
    regions = {new: truth.regions[old] for new, old in enumerate(frames.tolist()) if old in truth.regions}
    polygons = {new: _polygons(truth, int(frames[new]), regions=given) for new, given in regions.items()}
    kept = [
        _without_ignored(
            select_frames(take(video.people, video.people.has_points), frames), polygons, frames=len(frames)
        )
        for video in (truth, prediction)
    ]
    return Evaluated(video=truth, frames=frames, truth=kept[0], prediction=kept[1])


def _polygons(video: Video, frame: int, *, regions: list[Float64[np.ndarray, "_ 2"]]) -> list[shapely.Polygon]:
    for number, vertices in enumerate(regions):
        if len(vertices) in (1, 2) or not np.isfinite(vertices).all():
            problem = f"got {vertices.tolist()}, wanted at least three finite vertices"
            refuse(video.path, video.frames[frame], field=f"ignore_regions[{number}]", problem=problem)
    return [shapely.Polygon(vertices) for vertices in regions if len(vertices)]


def _without_ignored(people: People, polygons: dict[int, list[shapely.Polygon]], *, frames: int) -> People:
    if not polygons:
        return people
    starts = frame_starts(people, frames)
    present = people.present.copy()
    stays = np.ones(len(people.frame), dtype=np.bool_)
    for frame, shapes in polygons.items():
        rows = slice(starts[frame], starts[frame + 1])
        present[rows] &= ~_inside(people.keypoints[rows], shapes)
        stays[rows] = present[rows].any(axis=1)
    return take(replace(people, present=present), stays)


def _inside(points: Float64[np.ndarray, "n 15 2"], polygons: list[shapely.Polygon]) -> Bool[np.ndarray, "n 15"]:
    """Strictly inside any polygon; a point on a border is outside."""
    inside = np.zeros(points.shape[:2], dtype=np.bool_)
    for polygon in polygons:
        inside |= shapely.contains_xy(polygon, points[..., 0], points[..., 1])
    return inside
