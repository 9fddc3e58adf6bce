"""What each sample of one video holds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Float32, Float64, Int64

from pipeline.shards.columns import matrix
from pipeline.shards.crop import region, upright, widened
from pipeline.shards.recipe import Recipe
from pipeline.shards.sample import Bbox, ClipSample, Row, make_key

HEAD_SHARE = 0.6
"""poseval measures a head by this share of its bbox's diagonal."""

Track = tuple[Int64[np.ndarray, " M"], Float64[np.ndarray, "M 4"]]
"""Frames of one person, ascending, and the bboxes there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """One video's rows of the index, small enough to be sent to a worker."""

    name: str
    files: Mapping[int, str]
    """The frames that exist by position, ascending, and their images below the dataset's root."""
    frame: Int64[np.ndarray, " N"]
    """Of each person, and so for the rest."""
    person: Int64[np.ndarray, " N"]
    frame_id: Int64[np.ndarray, " N"]
    track_id: Int64[np.ndarray, " N"]
    bbox: Float64[np.ndarray, "N 4"]
    head_bbox: Float32[np.ndarray, "N 4"]
    keypoints: Float32[np.ndarray, "N K 3"]
    score: Float64[np.ndarray, " N"]
    """Of those whom a detector found; NaN for those annotated."""


def video_of(frames: pd.DataFrame, people: pd.DataFrame, *, name: str) -> Video:
    """The video with these rows of the index's tables."""
    files = dict(sorted(zip(frames["frame"].tolist(), frames["file"].tolist(), strict=True)))
    numbers = {key: people[key].to_numpy(dtype=np.int64) for key in ("frame", "person", "frame_id", "track_id")}
    head_bbox = matrix(people["head_bbox"]).astype(np.float32)
    keypoints = matrix(people["keypoints"]).astype(np.float32).reshape(len(people), -1, 3)
    bbox, score = matrix(people["bbox"]).astype(np.float64), people["score"].to_numpy(dtype=np.float64)
    return Video(name=name, files=files, **numbers, bbox=bbox, head_bbox=head_bbox, keypoints=keypoints, score=score)


def samples_of(video: Video, wanted: Int64[np.ndarray, " S"], recipe: Recipe) -> Iterator[ClipSample]:
    """Everything about some of the people of a video; neighbour bboxes come from any of them.

    Args:
        video: the rows.
        wanted: positions of people in them.
        recipe: offsets, sizes and reach.
    """
    positions = np.array(list(video.files), dtype=np.int64)
    order = np.lexsort([video.frame, video.track_id])
    starts = np.flatnonzero(np.diff(video.track_id[order], prepend=video.track_id[order[0]] - 1))
    tracks = {
        int(video.track_id[rows[0]]): (video.frame[rows], video.bbox[rows]) for rows in np.split(order, starts[1:])
    }
    used = {frame: frames_used(positions, frame=frame, clip=recipe.clip) for frame in set(video.frame[wanted].tolist())}
    for row in wanted:
        track, frame = tracks[int(video.track_id[row])], int(video.frame[row])
        yield _sample(video, int(row), track=track, used=used[frame], recipe=recipe)


def _sample(video: Video, row: int, *, track: Track, used: tuple[int, ...], recipe: Recipe) -> ClipSample:
    frame, person = int(video.frame[row]), int(video.person[row])
    bbox = _corners(video.bbox[row])
    neighbour = interpolated_bbox(*track, frame=frame, reach=recipe.shard.reach)
    to_source = upright(
        widened(
            region(bbox, size=recipe.input_size),
            size=recipe.input_size,
            stored=recipe.stored_size,
            other=None if neighbour is None else region(neighbour, size=recipe.input_size),
        ),
        size=recipe.stored_size,
    )
    return ClipSample(
        key=make_key(video.name, frame=frame, person=person),
        video=video.name,
        frame=frame,
        frame_id=int(video.frame_id[row]),
        person=person,
        track_id=int(video.track_id[row]),
        keypoints=tuple(_row(point) for point in video.keypoints[row]),
        bbox=bbox,
        neighbour_bbox=neighbour,
        head_size=_head_size(video.head_bbox[row]),
        to_source=(_row(to_source[0]), _row(to_source[1])),
        frames_used=used,
        score=None if np.isnan(video.score[row]) else float(video.score[row]),
    )


def frames_used(positions: Int64[np.ndarray, " F"], *, frame: int, clip: Sequence[int]) -> tuple[int, ...]:
    """Positions of a clip's frames among those that exist: the nearest one where the wanted one is missing or outside.

    A supporting frame is never the keyframe, which the temporal stream must not see, unless there is no other frame. Of
    two equally near ones, that farther from the keyframe is taken.
    """
    others = positions[positions != frame] if len(positions) > 1 else positions
    return tuple(_nearest(others, frame + offset, frame=frame) if offset else frame for offset in clip)


def _nearest(positions: Int64[np.ndarray, " F"], wanted: int, *, frame: int) -> int:
    distance = 2 * np.abs(positions - wanted) - (np.abs(positions - frame) > abs(wanted - frame))
    return int(positions[np.argmin(distance)])


def interpolated_bbox(
    frames: Int64[np.ndarray, " N"], bboxes: Float[np.ndarray, "N 4"], *, frame: int, reach: int
) -> Bbox | None:
    """The bbox at `frame`, linear in time between the nearest ones before and after; None where one is out of reach."""
    before, after = np.searchsorted(frames, frame, side="left") - 1, np.searchsorted(frames, frame, side="right")
    if before < 0 or after >= len(frames):
        return None
    start, end = int(frames[before]), int(frames[after])
    if frame - start > reach or end - frame > reach:
        return None
    share = (frame - start) / (end - start)
    return _corners((1 - share) * bboxes[before] + share * bboxes[after])


def _head_size(bbox: Float32[np.ndarray, " 4"]) -> float | None:
    x1, y1, x2, y2 = bbox.tolist()
    size = HEAD_SHARE * float(np.hypot(x2 - x1, y2 - y1))
    return size if np.isfinite(size) and size > 0 else None


def _corners(values: Float[np.ndarray, " 4"]) -> Bbox:
    x1, y1, x2, y2 = values.tolist()
    return x1, y1, x2, y2


def _row(values: Float[np.ndarray, " 3"]) -> Row:
    first, second, third = values.tolist()
    return first, second, third
