"""What runs in every Ray Train worker: it joins the ranks, resumes, and trains."""

import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import ray
import ray.train
import torch
from ray.train.torch import get_device
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from dsn import checkpoint
from dsn.network import SingleFrame, build, build_single_frame, start_from
from pipeline.refusal import Refusal
from pipeline.shards.batch import ClipBatch
from pipeline.shards.manifest import read_manifest
from pipeline.shards.reader import evaluation_batches, steps_per_epoch, training_batches
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.job import Job, from_dict
from pipeline.training.keeper import Keeper, StoppedError
from pipeline.training.loop import fit
from pipeline.training.recipe import Recipe, Row
from pipeline.training.run import Run, start


class ShardData:
    """A rank's batches, read from shards."""

    def __init__(self, job: Job, *, rank: int, world: int) -> None:
        self._job, self._rank, self._world = job, rank, world
        self._batch_size = job.train.batch_size // world
        manifest = read_manifest(job.split("train"))
        self.steps_per_epoch = steps_per_epoch(manifest, batch_size=self._batch_size, world=world)

    def training(self, epoch: int, first_step: int) -> Iterator[ClipBatch]:
        """The batches of one epoch from step `first_step` on."""
        return training_batches(
            self._job.split("train"),
            self._job.reader,
            input_size=self._job.model.input_size,
            batch_size=self._batch_size,
            seed=self._job.train.seed,
            epoch=epoch,
            rank=self._rank,
            world=self._world,
            first_step=first_step,
            keyframe_only=self._job.kind == "single_frame",
        )

    def select(self) -> Iterator[ClipBatch]:
        """This rank's share of the select split."""
        return evaluation_batches(
            self._job.split("select"),
            input_size=self._job.model.input_size,
            batch_size=2 * self._batch_size,
            rank=self._rank,
            world=self._world,
            keyframe_only=self._job.kind == "single_frame",
        )


class RayReporter:
    """Tells the driver, and has evaluated networks kept; only rank 0 has a keeper."""

    def __init__(self, desk: Any, *, rank: int, keeper: Keeper | None) -> None:
        self._desk, self._rank, self._keeper = desk, rank, keeper

    def progress(self, row: Row) -> None:
        """Send rank 0's lines to the driver."""
        if self._rank == 0:
            self._desk.tell.remote(row)

    def notice(self, text: str) -> None:
        """Send a line of text to the driver."""
        self._desk.tell.remote(text)

    def save(self, row: Row, *, run: Run) -> None:
        """Keep a checkpoint with its scores."""
        self.progress(row)
        if self._keeper is not None:
            self._keeper.keep(run, row)


def together(network: nn.Module) -> DistributedDataParallel:
    """The network as one of several ranks trains it: gradients are averaged.

    Broadcasting BatchNorm's statistics in every forward pass, as is usual, makes each rank wait for the other once more
    a step: on two cores it cost a quarter of the samples a second. `Run.agree` does it where they are used.
    """
    return DistributedDataParallel(network, static_graph=True, gradient_as_bucket_view=True, forward_sync_buffers=False)


def build_network(job: Job, recipe: Recipe) -> nn.Module:
    """The job's network: random weights by its seed, or those of the network it starts from."""
    torch.manual_seed(job.train.seed)
    if job.kind == "single_frame":
        return _start_single(job, build_single_frame(job.model, recipe.skeleton))
    network = build(job.model, recipe.skeleton)
    if job.start is not None:
        start_from(network, _single(job.start))
    return network


def _start_single(job: Job, network: SingleFrame) -> SingleFrame:
    if job.start is not None:
        network.load_state_dict(_single(job.start).state_dict())
    return network


def _single(folder: str) -> SingleFrame:
    network = checkpoint.load(Path(folder)).network
    if not isinstance(network, SingleFrame):
        raise TypeError(f"{folder}: got {type(network).__name__}, wanted a single-frame network")
    return network


def work(values: dict[str, Any]) -> None:
    """The training function of one worker; `values` holds the job, the run's folder and the driver's desk."""
    job, desk = from_dict(values["job"]), values["desk"]
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    torch.set_num_threads(job.cluster.threads)
    os.environ["OMP_NUM_THREADS"] = str(job.cluster.threads)
    try:
        recipe = job.recipe
        network = build_network(job, recipe).to(get_device())
        run = start(network, recipe, wrap=together if world > 1 else None)
        data = ShardData(job, rank=rank, world=world)
        with _keeper(job, values["folder"], desk) if rank == 0 else nullcontext() as keeper:
            reporter = RayReporter(desk, rank=rank, keeper=keeper)
            resume(run, Checkpoints(values["folder"]), rank=rank, world=world, tell=reporter.notice)
            fit(run, data, reporter, rank=rank, keeper=keeper)
            if keeper is not None:
                keeper.finish()
    except (Refusal, StoppedError) as reason:
        ray.get(desk.tell.remote(reason if isinstance(reason, Refusal) else Refusal(str(reason))))
        raise


def _keeper(job: Job, folder: str, desk: Any) -> Keeper:
    wish = desk.until_asked_to_stop.remote()
    return Keeper(
        Checkpoints(folder),
        every=job.train.checkpoint_every,
        tell=desk.tell.remote,
        is_asked_to_stop=lambda: bool(ray.wait([wish], timeout=0)[0]),
    )


def resume(run: Run, checkpoints: Checkpoints, *, rank: int, world: int, tell: Callable[[str], None]) -> None:
    """Go on from the newest sound checkpoint, if there is one; rank 0 looks for it, and all ranks take the same."""
    found = [checkpoints.rewind(tell) if rank == 0 else None]
    if world > 1:
        distributed.broadcast_object_list(found, src=0)
    if found[0] is None:
        return
    with checkpoints.fetched(found[0]) as folder:
        run.load(folder)
    if rank == 0:
        tell(f"going on from step {found[0]}, on {world} ranks")
