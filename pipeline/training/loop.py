"""The training loop in plain torch: it knows neither Ray nor MLflow, only a `Reporter`."""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, runtime_checkable

import torch
import torch.distributed as dist
from torch import Tensor, nn

from dsn.loss import gradient_shares
from pipeline.shards.batch import ClipBatch
from pipeline.training.recipe import Row
from pipeline.training.run import Run
from pipeline.training.select import select_metrics
from pipeline.training.step import advance, bare, batch_losses


@runtime_checkable
class Data(Protocol):
    """Where a rank's batches come from."""

    steps_per_epoch: int
    """Batches of one epoch; the same number on every rank."""

    def training(self, epoch: int, first_step: int) -> Iterator[ClipBatch]:
        """The batches of one epoch from step `first_step` on."""

    def select(self) -> Iterator[ClipBatch]:
        """This rank's share of the select split."""


@runtime_checkable
class Reporter(Protocol):
    """Who hears of a run."""

    def progress(self, row: Row) -> None:
        """A line of numbers from one rank."""

    def notice(self, text: str) -> None:
        """A line of text from any rank."""

    def save(self, row: Row, *, run: Run) -> None:
        """A moment to keep. Every rank calls it equally often."""


@runtime_checkable
class Keeping(Protocol):
    """Who keeps checkpoints between evaluations."""

    def after_step(self, run: Run) -> None:
        """A step is done. It may raise, to stop training."""


def fit(run: Run, data: Data, reporter: Reporter, *, rank: int, keeper: Keeping | None = None) -> None:
    """Train `run` to its last step; `keeper` is asked after each.

    Raises:
        FloatingPointError: the loss is not finite; the message names the step and the batch's keys.
    """
    config = run.recipe.train
    rate = _Rate(config.batch_size)
    quarantine = _Quarantine(reporter)
    run.network.train()
    if config.backbone_rate == 0:
        bare(run.network).get_submodule("backbone").eval()
    for batch in _batches(data, run.step, config.steps):
        quarantine.take(batch, step=run.step)
        is_told = (run.step + 1) % config.log_every == 0 or run.step + 1 == config.steps
        row, shares = _one_step(run, batch, rank=rank, with_shares=is_told and config.gradient_shares)
        run.sums.add(row)
        rate.count()
        if is_told:
            row = {"step": float(run.step), **run.sums.means(), **rate.flush(), **shares}
            row["quarantined"] = quarantine.count(run.network)
            run.history.append(row)
            reporter.progress(row)
        if run.step % config.evaluate_every == 0 or run.step == config.steps:
            run.agree()
            scores = _scores(run, data)
            run.history.append({"step": float(run.step), **scores})
            reporter.save(run.history[-1], run=run)
            rate.restart()
        if keeper is not None:
            keeper.after_step(run)


def _scores(run: Run, data: Data) -> Row:
    recipe = run.recipe
    return select_metrics(
        run.average.module,
        data.select(),
        model=recipe.model,
        joints=len(recipe.skeleton.joints),
        yardstick=recipe.yardstick,
    )


def _one_step(run: Run, batch: ClipBatch, *, rank: int, with_shares: bool) -> tuple[Row, Row]:
    """What the step measured, and the terms' shares of its gradient where they are asked for."""
    torch.manual_seed(run.recipe.train.seed * 1_000_003 + run.step * 1_009 + rank)
    with arithmetic(run.recipe.train.precision, next(run.network.parameters()).device):
        terms = batch_losses(run.network, batch, model=run.recipe.model, loss=run.recipe.loss)
    values = _finite(terms, batch, step=run.step)
    shares = gradient_shares(terms, run.network.parameters()) if with_shares else {}
    rate = run.stepper.param_groups[0]["lr"]
    norm = advance(
        run.network,
        terms.values(),
        stepper=run.stepper,
        rates=run.rates,
        average=run.average,
        clip_norm=run.recipe.train.clip_norm,
    )
    run.step += 1
    row = {**values, "gradient_norm": norm.item(), "learning_rate": rate}
    return row, {f"gradient_share/{name}": share for name, share in shares.items()}


def arithmetic(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """The context of the forward pass."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def _finite(terms: dict[str, Tensor], batch: ClipBatch, *, step: int) -> Row:
    values = {f"loss/{name}": term.item() for name, term in terms.items()}
    values["loss"] = sum(values.values())
    if not math.isfinite(values["loss"]):
        raise FloatingPointError(f"the loss at step {step} is {values} on the samples {', '.join(batch.keys)}")
    return values


def _batches(data: Data, first: int, last: int) -> Iterator[ClipBatch]:
    """Batches of steps `first` to `last - 1`, epoch after epoch."""
    step = first
    while step < last:
        epoch, within = divmod(step, data.steps_per_epoch)
        for batch in data.training(epoch, within):
            yield batch
            step += 1
            if step == last:
                return


class _Quarantine:
    """How often records could not be read since the run was started or resumed; the reporter hears of each once."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._times = 0
        self._known: set[str] = set()

    def take(self, batch: ClipBatch, *, step: int) -> None:
        """Take in what a batch did without."""
        self._times += len(batch.quarantined)
        for name in sorted({*batch.quarantined} - self._known):
            self._known.add(name)
            self._reporter.notice(f"step {step}: quarantined {name}; another sample stands in")

    def count(self, network: nn.Module) -> float:
        """How often, over all ranks; every rank calls it equally often."""
        times = torch.tensor(self._times, device=next(network.parameters()).device)
        if dist.is_initialized():
            dist.all_reduce(times)
        return float(times)


class _Rate:
    """Samples per second of training alone."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self.restart()

    def restart(self) -> None:
        """Leave out what was not training."""
        self._since = time.perf_counter()
        self._steps = 0

    def count(self) -> None:
        """Take in one step."""
        self._steps += 1

    def flush(self) -> Row:
        """The rate since the last time."""
        rate = self._steps * self._batch_size / (time.perf_counter() - self._since)
        self.restart()
        return {"samples_per_second": rate}
