"""Clips a second of sharding, against its floor: each frame decoded once, each crop warped and encoded, and no more.

The floor and ours do the same decodes, warps and encodes by the same library with one thread, on the same frames in the
same process, in turns. Two Ray workers are compared with one, and a dataset with one of ten times the videos.
"""

import argparse
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.large_tree import write_large_tree
from pipeline import params
from pipeline.posetrack.index import Index, PrepareConfig, build_index, read_index, write_index
from pipeline.shards.border import Views
from pipeline.shards.crop import Image, shrinking_warp
from pipeline.shards.pack import Packed, Run, pack_splits
from pipeline.shards.plan import assign, clips
from pipeline.shards.recipe import Recipe, ShardConfig
from pipeline.shards.spill import VideoTask
from pipeline.shards.tasks import layout_of, video_tasks
from pipeline.shards.video import samples_of
from pipeline.shards.writer import run_on_ray

RECIPE = Recipe(
    shard=ShardConfig(coverage=0.99, quality=90, reach=4, samples_per_shard=200, min_shards=8, seed=0),
    input_size=(256, 192),
    offsets=(-2, -1, 1, 2),
    views=Views(rotation=45.0, rotation_probability=0.6, scale=0.35, shift=0.05),
)
"""The crops of the PoseTrack preset."""
FEWEST_VIDEOS = 4
LIMITS = {"share_of_floor": 0.8, "two_workers": 1.8, "ten_times": 1.1}


def indexed(root: Path) -> Index:
    """The dataset's index, as stage prepare leaves it and stage shard reads it."""
    config = params.load(Path("params.yaml"), "prepare", into=PrepareConfig)
    index, _ = build_index(root, config)
    write_index(index, root / "index")
    return read_index(root / "index")


def floor_tasks(index: Index, root: Path) -> list[VideoTask]:
    """All videos with the samples that are to be made of them."""
    plans = {split: assign(rows, split, RECIPE.shard) for split, rows in clips(index).items()}
    return list(video_tasks(index, layout_of(index, plans, spill=root), root=root, recipe=RECIPE))


def floor(tasks: list[VideoTask], crops: Mapping[str, Mapping[int, list[np.ndarray]]]) -> None:
    """Decode each frame once, warp and encode the crops of it."""
    for task in tasks:
        for position, affines in crops[task.video.name].items():
            image = _decoded(task.root / task.video.files[position])
            for affine in affines:
                crop = shrinking_warp(image, affine, size=RECIPE.stored_size)
                cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, RECIPE.shard.quality])


def _decoded(path: Path) -> Image:
    data = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert image is not None
    return np.asarray(image, dtype=np.uint8)


def crops_of(tasks: list[VideoTask]) -> dict[str, dict[int, list[np.ndarray]]]:
    """For each video and frame the affines of the crops: the floor is given them."""
    found: dict[str, dict[int, list[np.ndarray]]] = {}
    for task in tasks:
        frames = found.setdefault(task.video.name, {})
        for sample in samples_of(task.video, task.wanted, task.recipe):
            for position in sorted(set(sample.frames_used)):
                frames.setdefault(position, []).append(sample.affine)
    return found


def seconds_of(action: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def pack(index: Index, root: Path, *, run: Run) -> Packed:
    """Shards of the dataset, in a folder that is removed again."""
    with tempfile.TemporaryDirectory(dir=root) as out:
        return pack_splits(index, root, Path(out), RECIPE, run=run)


def against_floor(index: Index, root: Path, *, rounds: int) -> dict[str, float]:
    """Clips a second of the floor and of packing in one process, by turns."""
    cv2.setNumThreads(1)
    tasks = floor_tasks(index, root)
    crops = crops_of(tasks)
    packed = pack(index, root, run=map)
    count = sum(packed.samples.values())
    times: dict[str, list[float]] = {"floor": [], "ours": []}
    for _ in range(rounds):
        times["floor"].append(seconds_of(lambda: floor(tasks, crops)))
        times["ours"].append(seconds_of(lambda: pack(index, root, run=map)))
    speed = {name: count / statistics.median(found) for name, found in times.items()}
    return {
        "clips": count,
        "frames_decoded": packed.decoded,
        "floor_clips_per_s": round(speed["floor"], 1),
        "ours_clips_per_s": round(speed["ours"], 1),
        "share_of_floor": round(speed["ours"] / speed["floor"], 3),
        "bytes_per_clip": round(packed.size / count),
    }


def one_at_a_time(function: Callable[[object], object], tasks: Iterable[object]) -> Iterator[object]:
    """Tasks on Ray, each begun when the one before it has ended: what a single worker does."""
    for task in tasks:
        yield from run_on_ray(function, [task])


def two_workers(index: Index, root: Path, *, rounds: int) -> dict[str, float]:
    """Clips a second of one and of two Ray workers, by turns, behind a run that starts them both."""
    import ray  # noqa: PLC0415  (reads the environment on import)

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        count = sum(pack(index, root, run=run_on_ray).samples.values())
        times: dict[str, list[float]] = {"one": [], "two": []}
        for _ in range(rounds):
            times["one"].append(seconds_of(lambda: pack(index, root, run=one_at_a_time)))
            times["two"].append(seconds_of(lambda: pack(index, root, run=run_on_ray)))
    finally:
        ray.shutdown()
    speed = {name: count / statistics.median(found) for name, found in times.items()}
    return {
        "one_worker_clips_per_s": round(speed["one"], 1),
        "two_workers_clips_per_s": round(speed["two"], 1),
        "two_workers": round(speed["two"] / speed["one"], 2),
    }


def ten_times(folder: Path, *, videos: int, rounds: int) -> dict[str, Any]:
    """Milliseconds a clip of prepare and of shard in one process, for some videos and for ten times as many."""
    sizes = {"small": videos, "large": 10 * videos}
    roots = {name: write_large_tree(folder / name, videos=count) for name, count in sizes.items()}
    costs: dict[str, list[float]] = {f"{stage}_{name}": [] for stage in ("prepare", "shard") for name in roots}
    for _ in range(rounds):
        for name, root in roots.items():
            began = time.perf_counter()
            index = indexed(root)
            between = time.perf_counter()
            count = sum(pack(index, root, run=map).samples.values())
            costs[f"prepare_{name}"].append(1e3 * (between - began) / count)
            costs[f"shard_{name}"].append(1e3 * (time.perf_counter() - between) / count)
    medians = {name: round(statistics.median(found), 3) for name, found in costs.items()}
    prepare, shard = (medians[f"{stage}_large"] / medians[f"{stage}_small"] for stage in ("prepare", "shard"))
    return {"ms_per_clip": medians, "prepare_ten_times": round(prepare, 3), "shard_ten_times": round(shard, 3)}


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=12, help="of the comparisons with the floor and of two workers")
    parser.add_argument("--small", type=int, default=5, help="videos of which ten times as many are sharded as well")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if min(given.videos, given.small) < FEWEST_VIDEOS:
        parser.error(f"wanted at least {FEWEST_VIDEOS} videos: one for val, and of the rest one for select")
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        root = write_large_tree(Path(folder, "tree"), videos=given.videos)
        index = indexed(root)
        found = {
            **against_floor(index, root, rounds=given.rounds),
            **two_workers(index, root, rounds=given.rounds),
            **ten_times(Path(folder), videos=given.small, rounds=given.rounds),
        }
    holds = found["share_of_floor"] >= LIMITS["share_of_floor"] and found["two_workers"] >= LIMITS["two_workers"]
    holds = holds and max(found["prepare_ten_times"], found["shard_ten_times"]) <= LIMITS["ten_times"]
    print(json.dumps({"benchmark": "sharding", **found, "limits": LIMITS, "holds": holds}))


if __name__ == "__main__":
    main()
