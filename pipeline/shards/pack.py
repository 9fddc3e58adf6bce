"""Packing a dataset's clips into shards, in two phases; whoever calls says how the tasks of a phase are run."""

import hashlib
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from jaxtyping import Int64

from pipeline.artifacts import sha256
from pipeline.posetrack.index import Index
from pipeline.shards.manifest import Manifest, Shard, write_manifest
from pipeline.shards.plan import assign, clips, count_heads, refuse_overlap
from pipeline.shards.recipe import Recipe, Split
from pipeline.shards.record import UNFINISHED, RecordWriter
from pipeline.shards.spill import Spilled, spill_video
from pipeline.shards.tasks import Layout, ShardTask, layout_of, shard_tasks, video_tasks

Result = TypeVar("Result")
Run = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""Calls a function on each of several tasks, anywhere, and gives the results in any order; `map` is one. Tasks are made
when they are taken, so one that takes few at a time needs little memory."""

SPILL = ".spill-"
"""Begins the name of the folder where records wait for their shard, below the shards."""
INTERVAL = 5.0
"""Seconds between two lines of progress."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What was packed."""

    samples: dict[Split, int]
    decoded: int
    """How often an image was decoded: each frame that any clip uses, once."""
    size: int
    """Bytes of all tars."""


def pack_splits(index: Index, root: Path, out: Path, recipe: Recipe, *, run: Run) -> Packed:
    """Write `out`/{train,select,val}, each with its tars and manifest.json.

    The bytes depend on the dataset and the recipe alone, not on how `run` spreads the tasks. Splits are moved to their
    places when all are whole: what interrupts packing before that leaves the old shards, and packing again starts over.

    Raises:
        Refusal: a split is empty, a frame cannot be decoded, or train and select would share frames.
    """
    refuse_overlap(index, recipe.offsets)
    plans = {split: assign(rows, split, recipe.shard) for split, rows in clips(index).items()}
    with tempfile.TemporaryDirectory(prefix=SPILL, dir=_cleared(out), ignore_cleanup_errors=True) as spill:
        layout = layout_of(index, plans, spill=Path(spill))
        tasks = video_tasks(index, layout, root=root.resolve(), recipe=recipe)
        spilled = _gathered(_told(run(spill_video, tasks), what="cropping videos", total=len(layout.names)), layout)
        shards = {}
        for split, plan in plans.items():
            folder = Path(spill, split)
            shards[split] = _pack(plan, layout, spilled, folder=folder, run=run)
            digest = _source_digest(plan, layout, spilled)
            heads = count_heads(index, plan)
            manifest = _manifest(split, shards[split], recipe=recipe, digest=digest, index=index, heads=heads)
            write_manifest(manifest, folder)
        for split in plans:
            _replace(Path(spill, split), out / split)
    return Packed(
        samples={split: len(plan) for split, plan in plans.items()},
        decoded=spilled.decoded,
        size=sum(shard.ends[-1] for found in shards.values() for shard in found),
    )


def _cleared(out: Path) -> Path:
    """The folder, made if need be, without what a killed run left in it."""
    out.mkdir(parents=True, exist_ok=True)
    for left in out.glob(f"{SPILL}*"):
        shutil.rmtree(left)
    return out.resolve()


@dataclass(slots=True, kw_only=True)
class _Gathered:
    """What became of all videos."""

    spans: Int64[np.ndarray, "N 2"]
    """Where in its file the record of each row of people stands, if it has one."""
    digests: dict[int, str]
    decoded: int = 0


def _gathered(results: Iterable[Spilled], layout: Layout) -> _Gathered:
    rows = sum(len(people) for people in layout.people)
    gathered = _Gathered(spans=np.zeros((rows, 2), dtype=np.int64), digests={})
    for result in results:
        gathered.spans[layout.samples[result.number]] = result.spans
        gathered.digests[result.number] = result.digest
        gathered.decoded += result.decoded
    return gathered


def _pack(plan: pd.DataFrame, layout: Layout, spilled: _Gathered, *, folder: Path, run: Run) -> tuple[Shard, ...]:
    """The shards of a split, in order of name, and nothing else in its folder."""
    tasks = shard_tasks(plan, layout, spilled.spans, folder=folder)
    results = _told(run(pack_shard, tasks), what=f"packing {folder.name}", total=int(plan["shard"].max()) + 1)
    shards = sorted(results, key=lambda shard: shard.name)
    for left in folder.glob(f".*{UNFINISHED}"):
        left.unlink()
    return tuple(shards)


def pack_shard(task: ShardTask) -> Shard:
    """Copy records into a tar, one after the other."""
    with RecordWriter(task.path) as writer:
        pieces = zip(task.file.tolist(), task.spans.tolist(), strict=True)
        ends = tuple(writer.append(read_piece(task.files[file], *span)) for file, span in pieces)
    return Shard(
        name=task.path.name,
        sha256=sha256(task.path),
        first_key=task.first_key,
        last_key=task.last_key,
        ends=ends,
    )


def read_piece(path: Path, start: int, stop: int) -> bytes:
    """Some bytes of a file, all of them.

    Raises:
        EOFError: the file ends before.
    """
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(stop - start)
    if len(data) < stop - start:
        raise EOFError(f"{path}: got {len(data)} bytes at {start}, wanted {stop - start}")
    return data


def _told(results: Iterable[Result], *, what: str, total: int) -> Iterator[Result]:
    """The results as they come, and a line every few seconds until all are there."""
    began = told = time.monotonic()
    for count, result in enumerate(results, start=1):
        yield result
        now = time.monotonic()
        if now - told > INTERVAL and count < total:
            log.info("%s: %d of %d done, %.0f s left", what, count, total, (now - began) / count * (total - count))
            told = now


def _source_digest(plan: pd.DataFrame, layout: Layout, spilled: _Gathered) -> str:
    """SHA-256 over the names of a split's videos and the digests of their frames, in order of name."""
    is_used = set(plan["video"].unique())
    lines = [f"{name} {spilled.digests[number]}\n" for number, name in enumerate(layout.names) if name in is_used]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _manifest(
    split: Split, shards: tuple[Shard, ...], *, recipe: Recipe, digest: str, index: Index, heads: int
) -> Manifest:
    return Manifest(
        split=split,
        samples=sum(shard.samples for shard in shards),
        heads=heads,
        shards=shards,
        stored_size=recipe.stored_size,
        clip=recipe.clip,
        recipe=recipe,
        source_digest=digest,
        skeleton=index.skeleton,
        boxes=index.boxes if split == "val" else None,
    )


def _replace(new: Path, old: Path) -> None:
    """Put a whole folder in another's place; the other is deleted when this one stands there."""
    aside = new.with_name(f"{new.name}.old")
    if old.exists():
        old.replace(aside)
    new.replace(old)
    shutil.rmtree(aside, ignore_errors=True)
