"""Which samples a split has, in which shard each stands, and what each holds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int64

from pipeline.posetrack.index import Index
from pipeline.refusal import Refusal
from pipeline.shards.crop import region, upright, widened
from pipeline.shards.recipe import SPLITS, Recipe, ShardConfig, Split
from pipeline.shards.sample import Bbox, ClipSample, Row, make_key

HEAD_SHARE = 0.6
"""poseval measures a head by this share of its bbox's diagonal."""


def clips(index: Index, split: Split) -> pd.DataFrame:
    """The samples of a split: `video`, `frame`, `person` of everyone with a labelled joint that counts, in order."""
    frames = index.frames.loc[index.frames["split"] == split, ["video", "frame"]]
    people = index.people.merge(frames, on=["video", "frame"])
    if len(people) == 0:
        raise Refusal(f"split {split} has no people; see checks.json of stage prepare")
    keypoints = np.stack(people["keypoints"].tolist()).reshape(len(people), -1, 3)
    is_labeled = np.asarray((keypoints[:, list(index.skeleton.scored), 2] > 0).any(axis=1))
    if not is_labeled.any():
        raise Refusal(f"split {split} has no labelled joints; see checks.json of stage prepare")
    rows = people.iloc[np.flatnonzero(is_labeled)][["video", "frame", "person"]]
    return rows.sort_values(["video", "frame", "person"], ignore_index=True)


def assign(rows: pd.DataFrame, split: Split, config: ShardConfig) -> pd.DataFrame:
    """Give every sample its `shard` and its `place` in it; rows come back in that order.

    Train and select are shuffled over all videos by the seed; val keeps its order. Shards differ by one sample at most.
    """
    if split != "val":
        order = np.random.default_rng([config.seed, SPLITS.index(split)]).permutation(len(rows))
        rows = rows.iloc[order].reset_index(drop=True)
    count = min(len(rows), max(config.min_shards, -(-len(rows) // config.samples_per_shard)))
    parts = np.array_split(np.arange(len(rows)), count)
    return rows.assign(
        shard=np.repeat(np.arange(count), [len(part) for part in parts]),
        place=np.concatenate([np.arange(len(part)) for part in parts]),
    )


def refuse_overlap(index: Index, offsets: Sequence[int]) -> None:
    """No clip of train may share a frame with a clip of select.

    Raises:
        Refusal: the gap between them is smaller than what a clip spans.
    """
    span = max(*offsets, 0) - min(*offsets, 0)
    frames = index.frames[index.frames["is_labeled"]]
    last = frames[frames["split"] == "train"].groupby("video")["frame"].max()
    first = frames[frames["split"] == "select"].groupby("video")["frame"].min()
    near = (first - last).dropna()
    if len(near) and near.min() <= span:
        raise Refusal(
            f"model.clip.offsets: a clip spans {span + 1} frames, but only {int(near.min()) - 1} frames lie between "
            f"train and select in {near.idxmin()}; set `prepare.window` to at least {span + 1}"
        )


def samples_of(frames: pd.DataFrame, people: pd.DataFrame, *, wanted: pd.DataFrame, recipe: Recipe) -> list[ClipSample]:
    """Everything about the wanted samples of one video.

    Args:
        frames: the video's rows of the index.
        people: the video's rows of the index, wanted or not: neighbour bboxes come from any of them.
        wanted: rows of `clips`.
        recipe: offsets, sizes and reach.
    """
    positions = np.sort(frames["frame"].to_numpy(dtype=np.int64))
    tracks: dict[Any, Any] = {track: _track(rows) for track, rows in people.groupby("track_id")}
    chosen = people.merge(wanted[["frame", "person"]], on=["frame", "person"]).sort_values(["frame", "person"])
    return [
        _sample(row, tracks[row["track_id"]], positions=positions, recipe=recipe) for row in chosen.to_dict("records")
    ]


def _track(rows: pd.DataFrame) -> tuple[Int64[np.ndarray, " N"], Float[np.ndarray, "N 4"]]:
    """Frames of one person, ascending, and the bboxes there."""
    rows = rows.sort_values("frame")
    return rows["frame"].to_numpy(dtype=np.int64), np.stack(rows["bbox"].tolist()).astype(np.float64)


def _sample(
    row: Mapping[Any, Any],
    track: tuple[Int64[np.ndarray, " N"], Float[np.ndarray, "N 4"]],
    *,
    positions: Int64[np.ndarray, " F"],
    recipe: Recipe,
) -> ClipSample:
    bbox = _corners(row["bbox"])
    neighbour = interpolated_bbox(*track, frame=row["frame"], reach=recipe.shard.reach)
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
        key=make_key(row["video"], frame=row["frame"], person=row["person"]),
        video=row["video"],
        frame=row["frame"],
        frame_id=row["frame_id"],
        person=row["person"],
        track_id=row["track_id"],
        keypoints=tuple(_row(point) for point in row["keypoints"].reshape(-1, 3)),
        bbox=bbox,
        neighbour_bbox=neighbour,
        head_size=_head_size(row["head_bbox"]),
        to_source=(_row(to_source[0]), _row(to_source[1])),
        frames_used=frames_used(positions, frame=row["frame"], clip=recipe.clip),
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


def _head_size(bbox: Float[np.ndarray, " 4"]) -> float | None:
    x1, y1, x2, y2 = bbox.tolist()
    size = HEAD_SHARE * float(np.hypot(x2 - x1, y2 - y1))
    return size if np.isfinite(size) and size > 0 else None


def _corners(values: Float[np.ndarray, " 4"]) -> Bbox:
    x1, y1, x2, y2 = (float(value) for value in values)
    return x1, y1, x2, y2


def _row(values: Float[np.ndarray, " 3"]) -> Row:
    first, second, third = (float(value) for value in values)
    return first, second, third
