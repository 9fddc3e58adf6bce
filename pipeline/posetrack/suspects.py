"""Suspects: people who are kept though something about them is odd."""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from pipeline.posetrack.cases import EXAMPLES, Case, Found, Shot, shot

JUMP = "tracks_that_jump"
JOINTS = "people_with_joints_outside_the_frame"


def jumps(frames: pd.DataFrame, people: pd.DataFrame, *, limit: float) -> Found:
    """Tracks whose bbox moves further than `limit` between two labelled frames that follow each other.

    The way of the bbox's centre is measured in the longest side of the two bboxes, so that its size does not matter.

    Args:
        frames: `video`, `frame`, `file` and `is_labeled` of every frame.
        people: `video`, `frame`, `frame_id`, `track_id`, `bbox` and `keypoints` of every person.
        limit: in sides.
    """
    table = people.merge(_labelled_order(frames), on=["video", "frame"])
    table = table.sort_values(["video", "track_id", "order"], kind="stable", ignore_index=True)
    bboxes = _array(table["bbox"], columns=4)
    follows = (
        (table["video"] == table["video"].shift())
        & (table["track_id"] == table["track_id"].shift())
        & (table["order"] == table["order"].shift() + 1)
    )
    ways = _ways(bboxes)
    rows = np.flatnonzero(follows.to_numpy() & (ways > limit))
    cases = [
        Case(
            reason=JUMP,
            where=f"{_who(table, row)}: moves by {ways[row]:.1f} sides of its bbox since frame {_id(table, row - 1)}",
            badness=float(ways[row]),
            shots=(_shot(table, row - 1), _shot(table, row)),
        )
        for row in _worst(rows, ways)
    ]
    return Found(reason=JUMP, count=len(rows), cases=cases)


def joints_outside(frames: pd.DataFrame, people: pd.DataFrame) -> Found:
    """People with labelled joints beyond the frame's border, by how far the furthest is out.

    Args:
        frames: `video`, `frame`, `file`, `height` and `width` of every frame.
        people: as in `jumps`.
    """
    table = people.merge(frames[["video", "frame", "file", "height", "width"]], on=["video", "frame"])
    points = _array(table["keypoints"], columns=-1).reshape(len(table), -1, 3) if len(table) else np.zeros((0, 1, 3))
    last = table[["width", "height"]].to_numpy(dtype=np.float64)[:, None] - 1
    beyond = np.maximum(-points[:, :, :2], points[:, :, :2] - last).max(axis=2)
    beyond = np.where(points[:, :, 2] > 0, np.maximum(beyond, 0), 0)
    counts, reach = (beyond > 0).sum(axis=1), beyond.max(axis=1)
    rows = np.flatnonzero(counts)
    cases = [
        Case(
            reason=JOINTS,
            where=f"{_who(table, row)}: {counts[row]} of its joints, by up to {reach[row]:.0f} pixels",
            badness=float(reach[row]),
            shots=(_shot(table, row),),
        )
        for row in _worst(rows, reach)
    ]
    return Found(reason=JOINTS, count=len(rows), cases=cases)


def _worst(rows: Int64[np.ndarray, " m"], badness: Float64[np.ndarray, " n"]) -> list[int]:
    """Some rows with the greatest badness; whole datasets may be odd, and each case takes a while to put together."""
    chosen: list[int] = rows[np.argsort(-badness[rows], kind="stable")][:EXAMPLES].tolist()
    return chosen


def _labelled_order(frames: pd.DataFrame) -> pd.DataFrame:
    """Labelled frames, numbered within their video."""
    labelled = frames.loc[frames["is_labeled"], ["video", "frame", "file"]]
    return labelled.assign(order=labelled.groupby("video").cumcount())


def _ways(bboxes: Float64[np.ndarray, "n 4"]) -> Float64[np.ndarray, " n"]:
    """How far each bbox's centre is from that of the row before, in the longest side of both; 0 in the first row."""
    centers = (bboxes[:, :2] + bboxes[:, 2:]) / 2
    sides = (bboxes[:, 2:] - bboxes[:, :2]).max(axis=1)
    ways = np.zeros(len(bboxes))
    ways[1:] = np.linalg.norm(centers[1:] - centers[:-1], axis=1) / np.maximum(sides[1:], sides[:-1])
    return ways


def _array(column: "pd.Series[Any]", *, columns: int) -> Float64[np.ndarray, "n m"]:
    return np.array(column.tolist(), dtype=np.float64).reshape(len(column), columns)


def _who(table: pd.DataFrame, row: int) -> str:
    return f"{table['video'].iloc[row]}: frame {_id(table, row)}, track {table['track_id'].iloc[row]}"


def _id(table: pd.DataFrame, row: int) -> int:
    return int(table["frame_id"].iloc[row])


def _shot(table: pd.DataFrame, row: int) -> Shot:
    person = table.iloc[row]
    x1, y1, x2, y2 = np.asarray(person["bbox"], dtype=np.float64).tolist()
    keypoints = np.asarray(person["keypoints"], dtype=np.float64).reshape(-1, 3)
    return shot(str(person["file"]), bbox=(x1, y1, x2, y2), keypoints=keypoints)
