"""One rank of several, on noise: writes down what tests ask for; `python -m tests.world.ranks FOLDER`.

RANK and WORLD_SIZE say which, as under torchrun.
"""

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed

from dsn.network import build
from pipeline.shards.batch import ClipBatch
from pipeline.training.advance import advance
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.keeper import Keeper
from pipeline.training.loop import fit
from pipeline.training.recipe import Row
from pipeline.training.run import Run, start
from pipeline.training.step import bare
from pipeline.training.worker import resume, together
from tests.world.noise import Noise, tiny_recipe

SHARES = 3
PULSES = """
while read -t 0.004; [ $? -gt 128 ]; do
    kill -STOP "$1"; sleep 0.1; kill -CONT "$1"
done
"""
"""Lets a process run for less than a tenth of the time, until the input ends; the end leaves it running."""


class Dealt(Noise):
    """A rank's shares of batches of noise.

    Each step of the second epoch begins after a wait of so many seconds; `slowed` slows all that the process does in
    that epoch.
    """

    def __init__(self, rank: int, world: int, *, shares: int = SHARES, waits: float = 0, slowed: bool = False) -> None:
        self.shares, self._rank, self._own = shares, rank, range(rank, shares, world)
        self._waits, self._is_slowed = waits, slowed

    def training(self, epoch: int, first_step: int) -> Iterator[tuple[ClipBatch, ...]]:
        is_second = epoch == 1
        with slowed() if is_second and self._is_slowed else nullcontext():
            for step in range(first_step, self.steps_per_epoch):
                time.sleep(self._waits if is_second else 0)
                yield tuple(self.batch(1000 * epoch + 10 * step + share) for share in self._own)

    def select(self) -> Iterator[ClipBatch]:
        if self._rank == 0:
            yield self.batch(7)


@contextmanager
def slowed() -> Iterator[None]:
    """Stop this process by SIGSTOP and let it go on, again and again: it is more than ten times as slow."""
    with subprocess.Popen(["bash", "-c", PULSES, "pulses", str(os.getpid())], stdin=subprocess.PIPE):
        yield  # the end closes the input first


class Told:
    """Remembers what it is told."""

    def __init__(self, keeper: Keeper | None = None) -> None:
        self.rows: list[Row] = []
        self.notices: list[str] = []
        self._keeper = keeper

    def progress(self, row: Row) -> None:
        self.rows.append(row)

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def save(self, row: Row, *, run: Run) -> None:
        if self._keeper is not None:
            self._keeper.keep(run, row)
            self._keeper.finish()


def main(folder: Path, *, rank: int, world: int) -> None:
    """Write what this rank sees into `folder`."""
    torch.set_num_threads(1)
    if world > 1:
        distributed.init_process_group("gloo")
    kept: dict[str, Any] = {
        "gradient": gradient(rank, world),
        "changed": changed_by_resuming(folder, rank=rank, world=world),
        "agreed": agreed(rank, world),
    }
    if world < 3:
        kept["compiled"] = compiled(rank, world)
    if world == 2:
        faults: dict[str, dict[str, Any]] = {"waiting": {"waits": 1.0}, "slowed": {"slowed": True}, "alike": {}}
        kept |= {name: paced(rank, **fault) for name, fault in faults.items()}
    torch.save(kept, folder / f"{rank}.pt")


def fresh(world: int, *, seed: int = 0, **changes: Any) -> Run:
    """A run at step 0."""
    recipe = tiny_recipe()
    recipe = dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, **changes))
    torch.manual_seed(seed)
    return start(build(recipe.model, recipe.skeleton), recipe, wrap=together if world > 1 else None)


def gradient(rank: int, world: int) -> Tensor:
    """That of one batch; two ranks pass it in pieces."""
    run = fresh(world, clip_norm=1e9, learning_rate=1e-30, micro_batch=2 if world == 2 else None)
    own = []
    for share in range(rank, SHARES, world):
        visible = torch.rand(4, 17, generator=torch.Generator().manual_seed(share)) < 0.6
        is_spoilt = torch.arange(4) < share  # none, some, and all of the first piece
        own.append(dataclasses.replace(Noise.batch(share, count=4), visible=visible, is_spoilt=is_spoilt))
    for _ in range(2):  # DDP is another one in its first step
        run.step = 0
        advance(run, own, rank=rank, of=SHARES, with_gradient_shares=False, skipped=print)
    return torch.cat([one.grad.flatten() for one in run.network.parameters() if one.grad is not None])


def changed_by_resuming(folder: Path, *, rank: int, world: int) -> list[str]:
    """Names of the weights that are others at the end of a run that went on from its middle."""
    whole = fresh(world)
    keeper = Keeper(Checkpoints(str(folder)), every=100, tell=print) if rank == 0 else None
    fit(whole, Dealt(rank, world), Told(keeper), rank=rank)
    if rank == 0:
        (folder / "step_00000008" / "checkpoint.json").unlink()
    if world > 1:
        distributed.barrier()
    again = fresh(world, seed=99)
    resume(again, Checkpoints(str(folder)), rank=rank, world=world, tell=print)
    assert again.step == 4
    fit(again, Dealt(rank, world), Told(), rank=rank)
    found = again.state()["network"]
    return [name for name, value in whole.state()["network"].items() if not torch.equal(value, found[name])]


def agreed(rank: int, world: int) -> list[list[float]]:
    """Statistics of the network and of its average, different on each rank until they agree."""
    run = fresh(world)
    for module, value in ((bare(run.network), 0.0), (run.average.module, 10.0)):
        module.register_buffer("statistics", torch.full((3,), value + rank))
    run.agree()
    return [module.get_buffer("statistics").tolist() for module in (bare(run.network), run.average.module)]


def compiled(rank: int, world: int) -> tuple[list[float], list[float]]:
    """The losses of a run whose network is compiled, and of one whose network is not."""
    torch.compiler.set_default_backend("aot_eager")  # all of compilation but the slow part, which writes the kernels
    losses = []
    for is_compiled in (True, False):
        run = fresh(world, compile=is_compiled, log_every=1)
        fit(run, Dealt(rank, world), Told(), rank=rank)
        losses.append([row["loss"] for row in run.history if "loss" in row])
    return losses[0], losses[1]


def paced(rank: int, **fault: Any) -> tuple[list[str], list[Row]]:
    """What is told and noted of two ranks that have as much to do each, while rank 1 meets a fault of `Dealt`."""
    told = Told()
    data = Dealt(rank, 2, shares=2, **(fault if rank == 1 else {}))
    fit(fresh(2, steps=12, log_every=2, evaluate_every=12), data, told, rank=rank)
    return told.notices, told.rows


if __name__ == "__main__":
    main(Path(sys.argv[1]), rank=int(os.environ["RANK"]), world=int(os.environ["WORLD_SIZE"]))
