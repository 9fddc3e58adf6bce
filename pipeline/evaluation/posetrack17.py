"""PoseTrack17 JSON as arrays: every scalar is a list of one, joints go by id, an absent joint is not in the list."""

from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64

from pipeline.evaluation.people import JOINTS, People, head_sizes
from pipeline.evaluation.schema import Annopoints, Frame, Point, Rect, Region
from pipeline.evaluation.video import MISSING_SCORE, Video, refuse_unless_finite


def to_video(path: Path, annolist: list[Frame]) -> Video:
    """The file's content as arrays.

    A joint id that is not evaluated is passed over; of two points with one id the first counts.

    Raises:
        Refusal: a number is not finite.
    """
    names = tuple(frame.image[0].name if frame.image else str(position) for position, frame in enumerate(annolist))
    entries = np.array([len(frame.annorect) for frame in annolist], dtype=np.int64)
    rects = list(chain.from_iterable(frame.annorect for frame in annolist))
    frame = np.repeat(np.arange(len(annolist)), entries)
    return Video(
        path=path,
        frames=names,
        frame_ids=(),
        entries=entries,
        people=_people(path, rects, frame=frame, names=[names[position] for position in frame]),
        regions={
            position: [_polygon(region) for region in frame.ignore_regions]
            for position, frame in enumerate(annolist)
            if frame.ignore_regions
        },
    )


def _people(path: Path, rects: list[Rect], *, frame: Int64[np.ndarray, " n"], names: list[str]) -> People:
    lists = [_points(rect) for rect in rects]
    table = _table([points or [] for points in lists])
    refuse_unless_finite(table, path, frames=names, field="annopoints")
    head_size = _head_sizes(rects)
    given: Bool[np.ndarray, " n"] = np.array([_head(rect) is not None for rect in rects], dtype=np.bool_)
    refuse_unless_finite(np.where(given, head_size, 0.0), path, frames=names, field="x1, y1, x2, y2")
    return People(
        frame=frame,
        keypoints=table[..., :2],
        present=table[..., 3] > 0,
        scores=table[..., 2],
        head_size=head_size,
        track_id=np.array([rect.track_id[0] if rect.track_id else 0 for rect in rects], dtype=np.int64),
        is_tracked=np.array([rect.track_id is not None for rect in rects], dtype=np.bool_),
        has_points=np.array([points is not None for points in lists], dtype=np.bool_),
    )


def _points(rect: Rect) -> list[Point] | None:
    """The list of points, None where the entry has no such list."""
    first = rect.annopoints[0] if rect.annopoints else None
    return first.point if isinstance(first, Annopoints) else None


def _table(lists: list[list[Point]]) -> Float64[np.ndarray, "n 15 4"]:
    """x, y, score and 1 for every point; 0 where there is none."""
    table = np.zeros((len(lists), len(JOINTS), 4))
    rows = [
        (row, point.id[0], point.x[0], point.y[0], MISSING_SCORE if point.score is None else point.score[0])
        for row, points in enumerate(lists)
        for point in reversed(points)
        if point.id is not None and 0 <= point.id[0] < len(JOINTS)
    ]
    if rows:
        # Reversed above: where an index comes twice, NumPy keeps the value assigned last.
        values = np.array(rows, dtype=np.float64)
        table[values[:, 0].astype(np.int64), values[:, 1].astype(np.int64), :3] = values[:, 2:]
        table[values[:, 0].astype(np.int64), values[:, 1].astype(np.int64), 3] = 1.0
    return table


def _head(rect: Rect) -> tuple[float, float, float, float] | None:
    if rect.x1 is None or rect.y1 is None or rect.x2 is None or rect.y2 is None:
        return None
    return (rect.x1[0], rect.y1[0], rect.x2[0], rect.y2[0])


def _head_sizes(rects: list[Rect]) -> Float64[np.ndarray, " n"]:
    corners = np.array([_head(rect) or (np.nan,) * 4 for rect in rects], dtype=np.float64).reshape(-1, 4)
    return head_sizes(corners)


def _polygon(region: Region) -> Float64[np.ndarray, "_ 2"]:
    return np.array([(corner.x[0], corner.y[0]) for corner in region.point], dtype=np.float64).reshape(-1, 2)
