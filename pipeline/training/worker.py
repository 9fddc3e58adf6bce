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
from pipeline.training.guards import Facts, NotFiniteError
from pipeline.training.job import Job, from_dict
from pipeline.training.keeper import Keeper, StoppedError
from pipeline.training.loop import fit
from pipeline.training.recipe import Recipe, Row
from pipeline.training.run import Run, start
from pipeline.training.shared import refuse_apart
from pipeline.training.storage import RunFolder


class ShardData:
    """A rank's part of every batch, read from shards.

    A batch has as many shares as the job has workers at most, and each is read alike whoever reads it. With fewer ranks
    than that, some read several, so that the batch stays the same.
    """

    def __init__(self, job: Job, *, rank: int, world: int) -> None:
        self._job, self._rank, self._world = job, rank, world
        self.shares = job.cluster.workers
        self._share_size = job.train.batch_size // self.shares
        manifest = read_manifest(job.split("train"))
        self.steps_per_epoch = steps_per_epoch(manifest, batch_size=self._share_size, world=self.shares)

    def training(self, epoch: int, first_step: int) -> Iterator[tuple[ClipBatch, ...]]:
        """This rank's shares of each step of one epoch, from step `first_step` on."""
        own = [
            training_batches(
                self._job.split("train"),
                self._job.reader,
                input_size=self._job.model.input_size,
                batch_size=self._share_size,
                seed=self._job.train.seed,
                epoch=epoch,
                rank=share,
                world=self.shares,
                first_step=first_step,
                keyframe_only=self._job.kind == "single_frame",
            )
            for share in range(self._rank, self.shares, self._world)
        ]
        return zip(*own, strict=True)

    def select(self) -> Iterator[ClipBatch]:
        """This rank's share of the select split."""
        return evaluation_batches(
            self._job.split("select"),
            input_size=self._job.model.input_size,
            batch_size=2 * min(self._share_size, self._job.train.micro_batch or self._share_size),
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

    With `static_graph`, DDP would look for tensors in what the network returns, find none in its `Readouts`, and never
    average anything, silently. `find_unused_parameters` looks into dataclasses; it costs a walk through the graph a
    step, and keeps the order in which gradients are summed: else DDP rearranges its buckets after the first step a
    process takes, and three ranks that go on from a checkpoint end with other weights than those that never stopped.

    Broadcasting BatchNorm's statistics in every forward pass, as is usual, makes each rank wait for the other once more
    a step: on two cores it cost a quarter of the samples a second. `Run.agree` does it where they are used.
    """
    return DistributedDataParallel(
        network, find_unused_parameters=True, gradient_as_bucket_view=True, forward_sync_buffers=False
    )


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
    """The training function of one worker; `values` holds the job, the run's folder with its mark, and the desk.

    Why training cannot go on, the desk hears first: Ray wraps what rises into many lines.
    """
    job, folder, desk = from_dict(values["job"]), RunFolder(values["folder"]), values["desk"]
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    try:
        refuse_apart(folder.url, values["mark"])
        _train(job, folder, desk, rank=rank, world=world)
    except (Refusal, StoppedError) as reason:
        ray.get(desk.tell.remote(reason if isinstance(reason, Refusal) else Refusal(str(reason))))
        raise
    except NotFiniteError as error:
        place = keep_facts(folder, error.facts)
        advice = "look at them, lower learning_rate, or let max_skipped_share leave such steps out"
        ray.get(desk.tell.remote(Refusal(f"{error.shown}; its samples are named in {place}: {advice}")))
        raise


def _train(job: Job, folder: RunFolder, desk: Any, *, rank: int, world: int) -> None:
    _settle(job)
    recipe = job.recipe
    run = start(build_network(job, recipe).to(get_device()), recipe, wrap=together if world > 1 else None)
    data = ShardData(job, rank=rank, world=world)

    def skipped(facts: Facts) -> None:
        desk.tell.remote(
            f"step {facts.step} is left out on all ranks: {keep_facts(folder, facts)} has rank {rank}'s part"
        )

    with _keeper(job, folder.url, desk) if rank == 0 else nullcontext() as keeper:
        reporter = RayReporter(desk, rank=rank, keeper=keeper)
        resume(run, Checkpoints(folder.url), rank=rank, world=world, tell=reporter.notice)
        fit(run, data, reporter, rank=rank, keeper=keeper, skipped=skipped)
        if keeper is not None:
            keeper.finish()


def _settle(job: Job) -> None:
    """What concerns the whole process."""
    torch.set_num_threads(job.cluster.threads)
    os.environ["OMP_NUM_THREADS"] = str(job.cluster.threads)
    if job.train.deterministic:
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
        torch.use_deterministic_algorithms(mode=True)


def keep_facts(folder: RunFolder, facts: Facts) -> str:
    """Write down a step that is not finite beside the run's checkpoints; gives the file's path or URL."""
    return folder.write(f"not_finite_{facts.step:08d}_{facts.rank}.json", facts.to_dict())


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
