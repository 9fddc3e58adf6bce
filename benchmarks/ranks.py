"""What ranks cost: Ray Train against torchrun, two workers against one, and where the time of stage train goes.

All ways take the same steps of one job, which is stage train's as params.yaml has it, on drawn people, one thread a
rank, and keep the same checkpoints. They run in turns:

- `ray`: two workers of Ray Train, as the stage runs them;
- `torchrun`: the same loop in two processes that torchrun starts: the rival;
- `alone`: the same loop in one process, with the whole of each batch.

`waiting` and `stalled` are shares of rank 0's time under Ray that go into waiting for a batch, and into copying the
state for checkpoints that are written beside the steps. In the end `python -m stages.train` is timed from its start to
its first step on a cluster that is up, beside a driver that only has Ray Train start as many workers: the floor.
"""

import argparse
import json
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from dsn import checkpoint
from dsn.network import build_single_frame
from dsn.skeleton import POSETRACK
from pipeline import params
from pipeline.artifacts import write_json, write_text
from pipeline.cluster import connected
from pipeline.drawn.config import DrawConfig
from pipeline.drawn.dataset import draw_dataset
from pipeline.posetrack.index import PrepareConfig, build_index
from pipeline.shards.border import Views
from pipeline.shards.pack import pack_splits
from pipeline.shards.recipe import Recipe, ShardConfig
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.job import Job, from_dict, from_params
from pipeline.training.keeper import Keeper
from pipeline.training.launch import train
from pipeline.training.loop import fit
from pipeline.training.recipe import Row
from pipeline.training.run import Run, start
from pipeline.training.worker import ShardData, build_network, together

ROOT = Path(__file__).parents[1]
PROJECT = "project"
CHOSEN = {"train": {"learning_rate": 1e-3}}
LIMITS = {"ray_over_torchrun": 1.05, "two_workers": 1.7, "waiting": 0.05, "stalled": 0.02}
BARE = """
import ray, ray.train
from ray.train.torch import TorchTrainer

def work():
    import torch
    print("step 1/", flush=True)

ray.init()
TorchTrainer(work, scaling_config=ray.train.ScalingConfig(num_workers=2)).fit()
"""


def settle(folder: Path, *, videos: int) -> None:
    """Fill `folder` with drawn people in shards, a random network to start from, a search's outcome, and a project.

    The project is the code, which Ray sends to its workers, with params that have the stage take two steps.
    """
    for package in ("dsn", "pipeline", "stages"):
        shutil.copytree(ROOT / package, folder / PROJECT / package, ignore=shutil.ignore_patterns("__pycache__"))
    file = Path(shutil.copy(ROOT / "params.yaml", folder / PROJECT))
    config = replace(params.load(file, "draw", into=DrawConfig), train_videos=videos, val_videos=1)
    draw_dataset(folder / "drawn", config)
    index, _ = build_index(folder / "drawn", params.load(file, "prepare", into=PrepareConfig))
    job = from_params(file, kind="dual", section="train", shards=folder / "shards", chosen=CHOSEN)
    augment = job.reader.augment
    recipe = Recipe(
        shard=params.load(file, "shard", into=ShardConfig),
        input_size=job.model.input_size,
        offsets=job.model.clip.offsets,
        views=Views(
            rotation=augment.rotation,
            rotation_probability=augment.rotation_probability,
            scale=augment.scale,
            shift=augment.shift,
        ),
    )
    pack_splits(index, folder / "drawn", folder / "shards", recipe, run=map)
    torch.manual_seed(0)
    network = build_single_frame(job.model, POSETRACK)
    checkpoint.save(folder / "start", network, config=job.model, skeleton=POSETRACK)
    write_json(folder / "best.json", {"chosen": CHOSEN})
    values = params.read(file)
    values["train"] |= {"steps": 2, "warmup_steps": 1, "log_every": 1, "evaluate_every": 2}
    write_text(file, json.dumps(values))


class Printer:
    """Prints rank 0's lines of progress as JSON, and has evaluated networks kept."""

    def __init__(self, keeper: Keeper | None) -> None:
        self._keeper = keeper

    def progress(self, row: Row) -> None:
        """Print a line."""
        if self._keeper is not None:
            print(json.dumps(row), flush=True)

    def notice(self, text: str) -> None:
        """Tell a line of text."""
        print(text, file=sys.stderr)

    def save(self, row: Row, *, run: Run) -> None:
        """Keep a checkpoint with its scores."""
        if self._keeper is not None:
            self._keeper.keep(run, row)


def take_part(file: Path) -> None:
    """Train the job in `file` as one of torchrun's ranks."""
    job = from_dict(json.loads(file.read_text(encoding="utf-8")))
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    torch.set_num_threads(job.cluster.threads)
    distributed.init_process_group("gloo")
    run = start(build_network(job, job.recipe), job.recipe, wrap=together if world > 1 else None)
    data, checkpoints = ShardData(job, rank=rank, world=world), Checkpoints(str(file.with_suffix("")))
    keeping = Keeper(checkpoints, every=job.train.checkpoint_every, tell=print) if rank == 0 else nullcontext()
    with keeping as keeper:
        fit(run, data, Printer(keeper), rank=rank, keeper=keeper)
    distributed.destroy_process_group()


def by_torchrun(job: Job, folder: Path, *, ranks: int) -> list[Row]:
    """Lines of progress of the loop under torchrun."""
    write_json(folder / "job.json", job.to_dict())
    shutil.rmtree(folder / "job", ignore_errors=True)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    command += ["-m", "benchmarks.ranks", "--job", str(folder / "job.json")]
    environment = os.environ | {"OMP_NUM_THREADS": str(job.cluster.threads)}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def by_ray(job: Job, folder: Path) -> list[Row]:
    """Lines of progress of the same job under Ray Train."""
    rows: list[Row] = []
    train(job, folder / "out", listen=rows.append)
    return rows


def steady(rows: Sequence[Row]) -> list[Row]:
    """The lines of whole intervals but for the first, in which everything is done for the first time."""
    return [row for row in rows if "loss" in row][1:]


def seconds_until(begin: str, command: Sequence[str], *, folder: Path, address: str) -> float:
    """Seconds from the start of a command until one of its lines begins so; the command must succeed."""
    began, found = time.perf_counter(), 0.0
    environment = os.environ | {"RAY_ADDRESS": address, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            found = found or (time.perf_counter() - began if begin in line else 0.0)
    if process.returncode or not found:
        raise RuntimeError(f"{' '.join(command)}: got status {process.returncode}, wanted a line with {begin!r}")
    return found


def to_first_step(folder: Path, address: str) -> dict[str, float]:
    """Seconds of the stage until its first step, and of a bare driver until its workers run."""
    names = {"shards": "shards", "start": "start", "best": "best.json", "out": "trained"}
    flags = [part for flag, name in names.items() for part in (f"--{flag}", str(folder / name))]
    commands = {"stage": ["-m", "stages.train", *flags], "bare": ["-c", BARE]}
    return {
        way: seconds_until("step 1/", [sys.executable, *command], folder=folder / PROJECT, address=address)
        for way, command in commands.items()
    }


def told(found: dict[str, list[Row]], first: list[dict[str, float]], *, batch_size: int) -> dict[str, Any]:
    """What was measured, in words and numbers."""
    speeds = {way: statistics.median(row["samples_per_second"] for row in rows) for way, rows in found.items()}
    ray = found["ray"]
    seconds = [1 / row["samples_per_second"] for row in ray]
    stalled = sum(row["time/checkpoint"] * each for row, each in zip(ray, seconds, strict=True)) / sum(seconds)
    return {
        "clips_per_s": {way: round(speed, 1) for way, speed in speeds.items()},
        "step_ms": {way: round(1000 * batch_size / speed, 1) for way, speed in speeds.items()},
        "ray_over_torchrun": round(speeds["torchrun"] / speeds["ray"], 3),
        "two_workers": round(speeds["torchrun"] / speeds["alone"], 2),
        "waiting": round(statistics.median(row["time/data"] for row in ray), 4),
        "stalled": round(stalled, 4),
        "to_first_step_s": {way: round(statistics.median(one[way] for one in first), 1) for way in first[0]},
    }


def main(given: argparse.Namespace) -> None:
    """Print one JSON line."""
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as name, connected() as address:
        folder = Path(name)
        settle(folder, videos=given.videos)
        job = job_of(folder, steps=given.steps)
        ways: dict[str, Callable[[], list[Row]]] = {
            "ray": lambda: by_ray(job, folder),
            "torchrun": lambda: by_torchrun(job, folder, ranks=2),
            "alone": lambda: by_torchrun(job, folder, ranks=1),
        }
        found: dict[str, list[Row]] = {way: [] for way in ways}
        first = []
        for _ in range(given.rounds):
            for way, run in ways.items():
                found[way] += steady(run())
            first.append(to_first_step(folder, address))
    line = {"benchmark": "ranks", "rounds": given.rounds, **told(found, first, batch_size=job.train.batch_size)}
    holds = line["ray_over_torchrun"] <= LIMITS["ray_over_torchrun"] and line["two_workers"] >= LIMITS["two_workers"]
    holds = holds and line["waiting"] <= LIMITS["waiting"] and line["stalled"] <= LIMITS["stalled"]
    print(json.dumps({**line, "limits": LIMITS, "holds": holds}))


def job_of(folder: Path, *, steps: int) -> Job:
    """Stage train's job, on the people in `folder`, two workers of a thread each."""
    job = from_params(
        Path("params.yaml"), kind="dual", section="train", shards=folder / "shards", start=folder / "start",
        chosen=CHOSEN,
    )  # fmt: skip
    cluster = replace(job.cluster, workers=2, min_workers=None, cpus_per_worker=1.0, storage=str(folder / "runs"))
    return replace(job, train=replace(job.train, steps=steps), cluster=cluster)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=8, help="for training, that are drawn")
    parser.add_argument("--steps", type=int, default=225, help="the 25 after the last checkpoint show its stall")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--job", type=Path, help="of a rank that torchrun starts")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = _arguments()
    if arguments.job is None:
        main(arguments)
    else:
        take_part(arguments.job)
