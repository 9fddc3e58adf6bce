"""What the two phases of packing are asked to do, each task made when it is taken, so that few are in memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int64

from pipeline.posetrack.index import Index
from pipeline.shards.recipe import Recipe, Split
from pipeline.shards.sample import make_key
from pipeline.shards.spill import VideoTask
from pipeline.shards.video import video_of

Rows = Int64[np.ndarray, " _"]
"""Positions of rows in a table, ascending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardTask:
    """One tar to be put together from spilled records."""

    path: Path
    files: tuple[Path, ...]
    """Where the records are."""
    file: Int64[np.ndarray, " S"]
    """In which of the files each record is."""
    spans: Int64[np.ndarray, "S 2"]
    """Where in it the record begins, and the byte behind it."""
    first_key: str
    last_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the rows of each video stand in the index, and where its records are spilled to."""

    names: tuple[str, ...]
    """Videos that have samples; their positions are their numbers."""
    frames: tuple[Rows, ...]
    people: tuple[Rows, ...]
    samples: tuple[Rows, ...]
    """Those of `people` that are samples of any split."""
    spill: Path

    def file(self, number: int) -> Path:
        """Where the records of a video are spilled to."""
        return self.spill / "videos" / f"{number:06d}.records"


def layout_of(index: Index, plans: Mapping[Split, pd.DataFrame], *, spill: Path) -> Layout:
    """The layout of all plans together."""
    rows = np.sort(np.concatenate([plan["row"].to_numpy(dtype=np.int64) for plan in plans.values()]))
    videos = pd.CategoricalDtype(sorted({name for plan in plans.values() for name in plan["video"].unique()}))
    numbers = index.people["video"].astype(videos).cat.codes.to_numpy(dtype=np.int64)
    count = len(videos.categories)
    return Layout(
        names=tuple(videos.categories),
        frames=_grouped(index.frames["video"].astype(videos).cat.codes.to_numpy(dtype=np.int64), count),
        people=_grouped(numbers, count),
        samples=tuple(rows[found] for found in _grouped(numbers[rows], count)),
        spill=spill,
    )


def _grouped(numbers: Int64[np.ndarray, " N"], count: int) -> tuple[Rows, ...]:
    """For each number below `count` where it stands."""
    order = np.argsort(numbers, kind="stable")
    bounds = np.searchsorted(numbers[order], np.arange(count + 1))
    return tuple(order[start:stop] for start, stop in pairwise(bounds.tolist()))


def video_tasks(index: Index, layout: Layout, *, root: Path, recipe: Recipe) -> Iterator[VideoTask]:
    """One task a video, the largest first, so that none is left over at the end."""
    for number in sorted(range(len(layout.names)), key=lambda number: (-len(layout.samples[number]), number)):
        people = layout.people[number]
        yield VideoTask(
            number=number,
            video=video_of(
                _part(index.frames, layout.frames[number]), _part(index.people, people), name=layout.names[number]
            ),
            wanted=np.searchsorted(people, layout.samples[number]),
            root=root,
            spill=layout.file(number),
            recipe=recipe,
        )


def _part(table: pd.DataFrame, rows: Rows) -> pd.DataFrame:
    """Some rows of a table, uncopied where they follow one another."""
    first, behind = int(rows[0]), int(rows[-1]) + 1
    return table.iloc[first:behind] if behind - first == len(rows) else table.iloc[rows]


def shard_tasks(
    plan: pd.DataFrame, layout: Layout, spans: Int64[np.ndarray, "N 2"], *, folder: Path
) -> Iterator[ShardTask]:
    """One task a shard of a split.

    Args:
        plan: what `assign` gave.
        layout: where the records were spilled to.
        spans: where in its file the record of each row of people stands.
        folder: where to write the tars.
    """
    numbers = {name: number for number, name in enumerate(layout.names)}
    for shard, rows in plan.groupby("shard"):
        names, file = np.unique(rows["video"].astype(str), return_inverse=True)
        first, last = (
            make_key(row["video"], frame=row["frame"], person=row["person"])
            for row in rows.iloc[[0, -1]].to_dict("records")
        )
        yield ShardTask(
            path=folder / f"{shard:06d}.tar",
            files=tuple(layout.file(numbers[name]) for name in names),
            file=file,
            spans=spans[rows["row"].to_numpy()],
            first_key=first,
            last_key=last,
        )
