"""PoseTrack17 JSON as arrays: every scalar is a list of one, joints go by id, an absent joint is not in the list."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from pipeline.evaluation.columns import content, given, lengths, singles
from pipeline.evaluation.people import JOINTS, People, head_sizes
from pipeline.evaluation.video import MISSING_SCORE, Video, refuse_unless_finite


def to_video(path: Path, annolist: Any) -> Video:
    """The file's content as arrays.

    A joint id that is not evaluated is passed over; of two points with one id the first counts.

    Args:
        path: of the file, for messages.
        annolist: its frames, see `columns.Columns`.

    Raises:
        Refusal: a number is not finite.
    """
    names = _names(annolist.field("image"))
    entries = lengths(annolist.field("annorect"))
    frame = np.repeat(np.arange(len(names)), entries)
    return Video(
        path=path,
        frames=names,
        frame_ids=(),
        entries=entries,
        people=_people(path, content(annolist.field("annorect")), frame=frame, names=names),
        regions=_regions(annolist.field("ignore_regions")),
    )


def _names(images: Any) -> tuple[str, ...]:
    """The first image of each frame, or where it has none, its position."""
    counts = lengths(images)
    starts = np.cumsum(counts) - counts
    names = content(images).field("name").to_pylist()
    return tuple(
        names[start] if count else str(position)
        for position, (start, count) in enumerate(zip(starts.tolist(), counts.tolist(), strict=True))
    )


def _people(path: Path, rects: Any, *, frame: Int64[np.ndarray, " n"], names: tuple[str, ...]) -> People:
    has_points, table = _points(rects.field("annopoints"))
    refuse_unless_finite(table, path, frame_of=lambda row: names[frame[row]], field="annopoints")
    corners = np.stack([singles(rects.field(corner), absent=np.nan) for corner in ("x1", "y1", "x2", "y2")], axis=1)
    has_head = np.logical_and.reduce([given(rects.field(corner)) for corner in ("x1", "y1", "x2", "y2")])
    head_size = head_sizes(corners)
    refuse_unless_finite(
        np.where(has_head, head_size, 0.0), path, frame_of=lambda row: names[frame[row]], field="x1, y1, x2, y2"
    )
    return People(
        frame=frame,
        keypoints=table[..., :2],
        present=table[..., 3] > 0,
        scores=table[..., 2],
        head_size=head_size,
        track_id=singles(rects.field("track_id"), absent=0.0),
        is_tracked=given(rects.field("track_id")),
        has_points=has_points,
    )


def _points(annopoints: Any) -> tuple[Bool[np.ndarray, " n"], Float64[np.ndarray, "n 15 4"]]:
    """Whether each person has a list of points, and x, y, score and 1 for every point, 0 where there is none."""
    counts = lengths(annopoints)
    lists = content(annopoints).field("point")
    person = np.repeat(np.arange(len(counts)), counts)
    # Only the first of a person's lists counts.
    is_first = np.append(True, person[1:] != person[:-1])[: len(person)]
    has_points = np.zeros(len(counts), dtype=np.bool_)
    has_points[person[is_first & given(lists)]] = True
    sizes = lengths(lists)
    return has_points, _table(content(lists), np.repeat(np.where(is_first, person, -1), sizes), people=len(counts))


def _table(points: Any, person: Int64[np.ndarray, " p"], *, people: int) -> Float64[np.ndarray, "n 15 4"]:
    joint = singles(points.field("id"), absent=-1.0)
    # Each number on its own, as that is how they are read and used.
    table = np.zeros((4, people * len(JOINTS)))
    # Reversed: where an index comes twice, NumPy keeps the value assigned last.
    rows = np.flatnonzero((person >= 0) & (joint >= 0) & (joint < len(JOINTS)))[::-1]
    at = person[rows] * len(JOINTS) + joint[rows]
    table[0, at] = singles(points.field("x"), absent=0.0)[rows]
    table[1, at] = singles(points.field("y"), absent=0.0)[rows]
    table[2, at] = singles(points.field("score"), absent=MISSING_SCORE)[rows]
    table[3, at] = 1.0
    return table.reshape(4, people, len(JOINTS)).transpose(1, 2, 0)


def _regions(regions: Any) -> dict[int, list[Float64[np.ndarray, "_ 2"]]]:
    """The polygons of each frame that has any."""
    if not len(content(regions)):
        return {}
    corners = content(regions).field("point")
    values = np.stack([singles(content(corners).field(axis), absent=0.0) for axis in ("x", "y")], axis=1)
    polygons = np.split(values, np.cumsum(lengths(corners))[:-1])
    counts = lengths(regions)
    starts = np.cumsum(counts) - counts
    return {
        position: polygons[starts[position] : starts[position] + counts[position]]
        for position in np.flatnonzero(counts).tolist()
    }
