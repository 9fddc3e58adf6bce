"""Seconds and memory of a plan (splits, clips, shards) over an index of millions of people.

The floor reads the columns of the index and no more. The rival plans as it is written by hand: it groups the people by
frame in a loop and keeps a row of Python objects for each; it is run on fewer people, and compared by the person.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.large_index import write_large_index
from benchmarks.peak_memory import peak_mb
from dsn.skeleton import POSETRACK
from pipeline.posetrack.index import read_index
from pipeline.posetrack.splits import assign_splits
from pipeline.shards.plan import assign, clips, refuse_overlap
from pipeline.shards.recipe import ShardConfig
from pipeline.shards.tasks import layout_of

CONFIG = ShardConfig(coverage=0.99, quality=90, reach=4, samples_per_shard=1000, min_shards=32, seed=0)
OFFSETS = (-2, -1, 1, 2)
LIMITS = {"seconds": 120.0, "peak_mb": 3000.0}


def ours(folder: Path) -> None:
    """Plan the index as the stages do: splits as prepare, clips and shards as shard."""
    index = read_index(folder)
    official = index.frames.assign(split=index.frames["split"].replace("select", "train"))
    index.frames["split"], _ = assign_splits(official, share=0.1, window=5, seed=0)
    refuse_overlap(index, OFFSETS)
    plans = {split: assign(rows, split, CONFIG) for split, rows in clips(index).items()}
    layout_of(index, plans, spill=Path("spill"))


def floor(folder: Path) -> None:
    """Read what there is to plan from."""
    for name in ("frames", "people"):
        pq.read_table(folder / f"{name}.parquet")


def rival(folder: Path) -> None:
    """Plan with pandas' objects and loops."""
    frames, people = (pq.read_table(folder / f"{name}.parquet").to_pandas() for name in ("frames", "people"))
    split_of = {(row.video, row.frame): row.split for row in frames.itertuples()}
    samples: dict[str, list[tuple[str, int, int]]] = {"train": [], "select": [], "val": []}
    for (video, frame), group in people.groupby(["video", "frame"]):
        for row in group.itertuples():
            keypoints = np.reshape(row.keypoints, (-1, 3))
            if (keypoints[list(POSETRACK.scored), 2] > 0).any():
                samples[split_of[video, frame]].append((video, frame, row.person))
    for rows in samples.values():
        random.Random(0).shuffle(rows)  # noqa: S311  (an order, no secret)


WAYS: dict[str, Callable[[Path], None]] = {"ours": ours, "floor": floor, "rival": rival}


def measured(way: str, folder: Path) -> dict[str, float]:
    """Seconds and peak memory of one way, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.planning", "--way", way, "--folder", str(folder)]
    found: dict[str, float] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return found


def run(way: str, folder: Path) -> dict[str, float]:
    """Seconds and peak memory of one way, in this process."""
    began = time.perf_counter()
    WAYS[way](folder)
    seconds = time.perf_counter() - began
    return {"seconds": round(seconds, 2), "peak_mb": peak_mb()}


def compare(*, people: int, rival_people: int) -> dict[str, object]:
    """Measure all ways on drawn indexes."""
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder, "large"), Path(folder, "small")
        count, fewer = write_large_index(large, people=people), write_large_index(small, people=rival_people)
        found = {"floor": measured("floor", large), "ours": measured("ours", large), "rival": measured("rival", small)}
    rival_seconds = found["rival"]["seconds"] / fewer * count
    return {
        "benchmark": "planning",
        "people": count,
        "rival_people": fewer,
        **found,
        "times_the_rival": round(rival_seconds / found["ours"]["seconds"], 1),
        "times_the_floor": round(found["ours"]["seconds"] / found["floor"]["seconds"], 1),
        "limits": LIMITS,
        "holds": all(found["ours"][key] <= limit for key, limit in LIMITS.items()),
    }


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=5_000_000)
    parser.add_argument("--rival-people", type=int, default=100_000)
    parser.add_argument("--way", choices=WAYS, help="measure one way on the index in --folder, in this process")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    result = (
        run(given.way, given.folder) if given.way else compare(people=given.people, rival_people=given.rival_people)
    )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
