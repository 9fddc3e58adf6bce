"""Packing a dataset's clips into shards, in two phases; whoever calls says how the tasks of a phase are run."""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.artifacts import sha256
from pipeline.posetrack.index import Index
from pipeline.shards import record
from pipeline.shards.manifest import Manifest, Shard, write_manifest
from pipeline.shards.plan import assign, clips, refuse_overlap
from pipeline.shards.recipe import SPLITS, Recipe, Split
from pipeline.shards.record import RecordWriter
from pipeline.shards.sample import make_key
from pipeline.shards.spill import Piece, Spilled, VideoTask, spill_video

Run = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]
"""Calls a function on each of several tasks, anywhere, and gives the results in the tasks' order; `map` is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardTask:
    """One tar to be put together from spilled records."""

    path: Path
    pieces: tuple[Piece, ...]
    keys: tuple[str, ...]


def pack_splits(index: Index, root: Path, out: Path, recipe: Recipe, *, run: Run) -> dict[Split, int]:
    """Write `out`/{train,select,val}, each with its tars and manifest.json; the numbers of samples.

    The bytes depend on the dataset and the recipe alone, not on how `run` spreads the tasks.

    Raises:
        Refusal: a split is empty, a frame cannot be decoded, or train and select would share frames.
    """
    refuse_overlap(index, recipe.offsets)
    plans = {split: assign(clips(index, split), split, recipe.shard) for split in SPLITS}
    spill = out.resolve() / ".spill"
    shutil.rmtree(spill, ignore_errors=True)
    try:
        tasks = video_tasks(index, pd.concat(plans.values()), root=root.resolve(), spill=spill, recipe=recipe)
        spilled = {result.video: result for result in run(spill_video, tasks)}
        for split, plan in plans.items():
            shards = tuple(run(pack_shard, _shard_tasks(plan, spilled, folder=spill / split)))
            _finish(split, plan, shards, spilled=spilled, index=index, recipe=recipe, folder=spill / split)
            _replace(spill / split, out / split)
    finally:
        shutil.rmtree(spill, ignore_errors=True)
    return {split: len(plan) for split, plan in plans.items()}


def video_tasks(index: Index, rows: pd.DataFrame, *, root: Path, spill: Path, recipe: Recipe) -> list[VideoTask]:
    """One task for each video with samples, the largest first, so that none is left over at the end."""
    frames, people = dict(iter(index.frames.groupby("video"))), dict(iter(index.people.groupby("video")))
    tasks = [
        VideoTask(
            video=str(video),
            frames=frames[video],
            people=people[video],
            wanted=wanted[["frame", "person"]],
            root=root,
            spill=spill / "videos" / f"{video}.records",
            recipe=recipe,
        )
        for video, wanted in rows.groupby("video")
    ]
    return sorted(tasks, key=lambda task: (-len(task.wanted), task.video))


def pack_shard(task: ShardTask) -> Shard:
    """Copy records into a tar."""
    with RecordWriter(task.path) as writer:
        ends = [writer.write(*record.decode(read_piece(piece)))[1] for piece in task.pieces]
    return Shard(
        name=task.path.name,
        sha256=sha256(task.path),
        first_key=task.keys[0],
        last_key=task.keys[-1],
        ends=tuple(ends),
    )


def read_piece(piece: Piece) -> bytes:
    """The bytes of one record."""
    with piece.path.open("rb") as file:
        file.seek(piece.start)
        return file.read(piece.stop - piece.start)


def _shard_tasks(plan: pd.DataFrame, spilled: dict[str, Spilled], *, folder: Path) -> list[ShardTask]:
    tasks = []
    for shard, rows in plan.groupby("shard"):
        samples = list(zip(rows["video"], rows["frame"], rows["person"], strict=True))
        tasks.append(
            ShardTask(
                path=folder / f"{shard:06d}.tar",
                pieces=tuple(spilled[video].pieces[frame, person] for video, frame, person in samples),
                keys=tuple(make_key(video, frame=frame, person=person) for video, frame, person in samples),
            )
        )
    return tasks


def _finish(
    split: Split,
    plan: pd.DataFrame,
    shards: tuple[Shard, ...],
    *,
    spilled: dict[str, Spilled],
    index: Index,
    recipe: Recipe,
    folder: Path,
) -> None:
    digests = "".join(f"{video} {spilled[video].digest}\n" for video in sorted(plan["video"].unique()))
    manifest = Manifest(
        split=split,
        samples=len(plan),
        shards=shards,
        stored_size=recipe.stored_size,
        clip=recipe.clip,
        recipe=recipe,
        source_digest=hashlib.sha256(digests.encode()).hexdigest(),
        skeleton=index.skeleton,
    )
    write_manifest(manifest, folder)


def _replace(new: Path, old: Path) -> None:
    shutil.rmtree(old, ignore_errors=True)
    new.replace(old)
