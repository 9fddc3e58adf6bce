"""Follow a run from the driver: hear what its workers tell, print it, and end the run when there is a reason."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from pipeline.refusal import Refusal
from pipeline.training.interrupting import interrupting
from pipeline.training.recipe import Row

GRACE = 60.0
"""Seconds that workers have to keep a checkpoint once they are asked to stop."""

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Following:
    """A run that is being followed."""

    desk: Any
    """Where its workers tell their news."""
    reasons: list[Refusal] = field(default_factory=list)
    """Why it cannot go on."""


@contextmanager
def following(listen: Callable[[Row], None], *, desk: Any, last: int) -> Iterator[Following]:
    """Print rows and lines of text, and hand each row to `listen` once, while the block runs Ray Train's `fit`.

    A `Refusal` from a worker or from `listen` ends the run, for starting again would meet the same. SIGTERM asks the
    workers to keep a checkpoint first. Both end `fit` as Ctrl-C does: by SIGINT, for which Ray Train has a handler of
    its own.

    Raises:
        KeyboardInterrupt: SIGINT came when there was nothing left to run.
    """
    run = Following(desk=desk)
    follower = threading.Thread(target=_follow, args=(run, listen, last), daemon=True)
    with interrupting(), _terminating(run):
        follower.start()
        try:
            yield run
        finally:
            run.desk.tell.remote(None)
            follower.join()


def _follow(run: Following, listen: Callable[[Row], None], last: int) -> None:
    import ray  # noqa: PLC0415

    began: tuple[float, float] | None = None
    told: set[tuple[float, tuple[str, ...]]] = set()
    while (news := ray.get(run.desk.hear.remote())) is not None:
        if isinstance(news, Refusal):
            run.reasons.append(news)
            _interrupt()
        elif isinstance(news, str):
            log.warning("%s", news)
        elif (news["step"], tuple(news)) not in told:  # what a run that goes on repeats was heard before
            told.add((news["step"], tuple(news)))
            began = began or (time.monotonic(), news["step"])
            log.info("%s", line(news, began=began, last=last))
            try:
                listen(news)
            except Refusal as reason:
                run.reasons.append(reason)
                _interrupt()


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@contextmanager
def _terminating(run: Following) -> Iterator[None]:
    """On SIGTERM, ask the workers to stop, and end the run when they have not in time."""

    def ask(_signal: int, _frame: FrameType | None) -> None:
        log.warning("SIGTERM: the next step is kept, then training stops")
        run.desk.ask_to_stop.remote()
        if timer.ident is None:  # impatience repeats the signal
            timer.start()

    def give_up() -> None:
        run.reasons.append(Refusal(f"stopped by SIGTERM; no checkpoint came within {GRACE:.0f} seconds"))
        _interrupt()

    timer = threading.Timer(GRACE, give_up)
    before = signal.signal(signal.SIGTERM, ask)
    try:
        yield
    finally:
        timer.cancel()
        signal.signal(signal.SIGTERM, before)


def line(row: Row, *, began: tuple[float, float], last: int) -> str:
    """One line of progress: `step 200/800  loss 0.0012  310 samples/s  2:05 left`."""
    step = row["step"]
    shown = [f"step {step:.0f}/{last}"]
    shown += [f"loss {row['loss']:.5f}", f"{row['samples_per_second']:.0f} samples/s"] if "loss" in row else []
    shown += [f"{name} {value:.1f}" for name, value in row.items() if name.startswith("select/")]
    shown += [f"{row['quarantined']:.0f} quarantined"] if row.get("quarantined") else []
    since, first = began
    if step > first:
        left = (time.monotonic() - since) / (step - first) * (last - step)
        shown.append(f"{left // 60:.0f}:{left % 60:02.0f} left")
    return "  ".join(shown)
