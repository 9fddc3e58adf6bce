"""The training loop in plain torch: it knows neither Ray nor MLflow, only a `Reporter`."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from pipeline.shards.batch import ClipBatch
from pipeline.training.advance import advance
from pipeline.training.clock import Clock
from pipeline.training.guards import Facts
from pipeline.training.ranks import Watch
from pipeline.training.recipe import Row
from pipeline.training.run import Run
from pipeline.training.select import select_metrics
from pipeline.training.step import bare


@runtime_checkable
class Data(Protocol):
    """Where a rank's batches come from. Each step's batch has a number of shares, which ranks deal out in turn."""

    shares: int
    """Shares of a step's batch, over all ranks."""
    steps_per_epoch: int
    """Steps of one epoch; the same number on every rank."""

    def training(self, epoch: int, first_step: int) -> Iterator[Sequence[ClipBatch]]:
        """This rank's shares of each step of one epoch, from step `first_step` on: at least one."""

    def select(self) -> Iterator[ClipBatch]:
        """This rank's part of the select split."""


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


def fit(
    run: Run,
    data: Data,
    reporter: Reporter,
    *,
    rank: int,
    keeper: Keeping | None = None,
    skipped: Callable[[Facts], None] = lambda _facts: None,
) -> None:
    """Train `run` to its last step; `keeper` is asked after each, `skipped` hears of each that is left out.

    Raises:
        NotFiniteError: more losses or gradients are not finite than may be; its facts name the step and the samples.
        NoRoomError: a pass does not fit into the memory.
    """
    config, device = run.recipe.train, next(run.network.parameters()).device
    clock, watch = Clock(run.network), Watch(rank, device=device, tell=reporter.notice)
    run.network.train()
    if config.backbone_rate == 0:
        bare(run.network).get_submodule("backbone").eval()
    for shares in _steps(data, run.step, config.steps, clock=clock):
        for share in shares:
            watch.take(share, step=run.step)
        is_told = (run.step + 1) % config.log_every == 0 or run.step + 1 == config.steps
        with_gradient_shares = is_told and config.gradient_shares
        row, told = advance(
            run, shares, rank=rank, of=data.shares, with_gradient_shares=with_gradient_shares, skipped=skipped
        )
        run.sums.add(row)
        clock.step_done()
        if is_told:
            times, pace = clock.flush(config.batch_size)
            row = {"step": float(run.step), **run.sums.means(), **times, **told}
            with clock.spent("ranks"):  # a slow rank is late here too, and no other seems slow for it
                row["quarantined"] = watch.compare(pace, step=run.step)
            run.history.append(row)
            reporter.progress(row)
        if run.step % config.evaluate_every == 0 or run.step == config.steps:
            with clock.spent("evaluation"):
                run.agree()
                run.history.append({"step": float(run.step), **_scores(run, data)})
            with clock.spent("checkpoint"):
                reporter.save(run.history[-1], run=run)
        if keeper is not None:
            with clock.spent("checkpoint"):
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


def _steps(data: Data, first: int, last: int, *, clock: Clock) -> Iterator[Sequence[ClipBatch]]:
    """The shares of steps `first` to `last - 1`, epoch after epoch."""
    step = first
    while step < last:
        epoch, within = divmod(step, data.steps_per_epoch)
        reading = data.training(epoch, within)
        while step < last:
            with clock.spent("data"):
                shares = next(reading, None)
            if shares is None:
                break
            yield shares
            step += 1
