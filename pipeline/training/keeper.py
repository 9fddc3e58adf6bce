"""Keeping checkpoints while training goes on: the state is copied between two steps and written beside the next."""

import copy
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, final

from torch import Tensor

from pipeline.refusal import Refusal
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.recipe import Row
from pipeline.training.run import Run, write
from pipeline.training.step import bare


class StoppedError(Exception):
    """Training was asked to stop; its state is kept, and the message says at which step."""


@final
class Keeper:
    """Keeps the checkpoints of a run, whose rank 0 it belongs to: the other ranks' state is the same.

    A checkpoint that cannot be written, as where the disk is full, does not stop training: those before it stay, and
    `tell` hears of it. Only the last one of a run must succeed.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        *,
        every: int,
        tell: Callable[[str], None],
        is_asked_to_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._checkpoints, self._every, self._tell = checkpoints, every, tell
        self._is_asked_to_stop = is_asked_to_stop
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="keeper")
        self._writing: Future[None] | None = None
        self._step = 0

    def __enter__(self) -> "Keeper":
        return self

    def __exit__(self, *_: object) -> None:
        """Let the write under way come to its end, also where training failed: it holds steps that are done."""
        self._settle()

    def after_step(self, run: Run) -> None:
        """Keep what is due.

        Raises:
            StoppedError: training was asked to stop.
        """
        if self._is_asked_to_stop():
            self.keep(run, None)
            self.finish()
            raise StoppedError(f"stopped after step {run.step}, which is kept; the same command goes on from there")
        if run.step % self._every == 0:
            self.keep(run, None)

    def keep(self, run: Run, scores: Row | None) -> None:
        """Copy the run's state, and begin to write the copy; where it has scores, with networks that load alone."""
        if run.step == self._step:
            return
        self._settle()
        self._step = run.step
        state = copied(run.state())
        networks = {} if scores is None else {"model": run.average.module, "raw": bare(run.network)}
        apart = {name: copy.deepcopy(network).cpu() for name, network in networks.items()}
        fill = partial(write, state=state, networks=apart, recipe=run.recipe)
        self._writing = self._writer.submit(self._checkpoints.add, fill, step=run.step, scores=scores)

    def finish(self) -> None:
        """Wait for the checkpoint that is being written.

        Raises:
            Refusal: it could not be; the same command will go on from the one before it.
        """
        error = self._settle()
        if error is not None:
            raise Refusal(
                f"{self._checkpoints.url}: the checkpoint of step {self._step} could not be written ({error}); "
                f"make room there or set cluster.storage to another place, and {self._where_to_go_on()}"
            )

    def _settle(self) -> OSError | None:
        """Wait for the write under way; gives its error, of which `tell` has heard."""
        if self._writing is None:
            return None
        try:
            self._writing.result()
        except OSError as error:
            self._tell(
                f"the checkpoint of step {self._step} could not be written ({error}); training goes on, and after "
                f"an interruption {self._where_to_go_on()}"
            )
            return error
        finally:
            self._writing = None
        return None

    def _where_to_go_on(self) -> str:
        found = self._checkpoints.all()
        return f"the same command goes on from step {found[-1].step}" if found else "the same command starts over"


def copied(value: Any) -> Any:
    """Nested values with every tensor copied into the machine's own memory, where no later step changes it."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: copied(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(copied(member) for member in value)
    return value
