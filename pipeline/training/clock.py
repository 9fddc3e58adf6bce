"""Where a rank's time goes while it trains."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import no_type_check

from torch import Tensor, distributed, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel

from pipeline.training.recipe import Row

PARTS = ("data", "compute", "ranks", "checkpoint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds that a rank needs for a step of its own, without those it waits for others."""

    data: float
    """Waiting for its batch."""
    compute: float


class Clock:
    """Seconds of one rank between two lines of progress, by what they went into; evaluation does not count.

    A rank waits for others from where it has handed over its last gradients until all have come back averaged. On a GPU
    that happens behind Python's back, and counts as computing.
    """

    def __init__(self, network: nn.Module) -> None:
        self._handed_over = self._averaged = 0.0
        if isinstance(network, DistributedDataParallel):
            network.register_comm_hook(distributed.group.WORLD, self._average)
        self.restart()

    @no_type_check  # DDP wants just these types to be written here, and what it hands over and back is of others
    def _average(self, group: distributed.ProcessGroup, bucket: distributed.GradBucket) -> Future[Tensor]:
        """Average some gradients over all ranks, and note when."""
        self._handed_over = time.perf_counter()
        return allreduce_hook(group, bucket).then(self._note)

    @no_type_check
    def _note(self, averaged: Future[Tensor]) -> Tensor:
        self._averaged = time.perf_counter()
        return averaged.value()

    def restart(self) -> None:
        """Begin an interval."""
        self._since = time.perf_counter()
        self._steps = 0
        self._seconds = dict.fromkeys(PARTS, 0.0)
        self._left_out = 0.0

    @contextmanager
    def spent(self, part: str) -> Iterator[None]:
        """Count a block as time for a part; `evaluation` is left out of all."""
        began = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - began
            if part in self._seconds:
                self._seconds[part] += seconds
            else:
                self._left_out += seconds

    def step_done(self) -> None:
        """Count a step, and how long it waited for other ranks."""
        self._steps += 1
        self._seconds["ranks"] += max(0.0, self._averaged - self._handed_over)

    def flush(self, batch_size: int) -> tuple[Row, Pace]:
        """Samples per second, each part's share of the time, and this rank's pace; the next interval begins."""
        total = max(time.perf_counter() - self._since - self._left_out, 1e-9)
        known = sum(self._seconds.values())
        self._seconds["compute"] = max(0.0, total - known)
        row = {"samples_per_second": self._steps * batch_size / total}
        row |= {f"time/{part}": seconds / total for part, seconds in self._seconds.items()}
        pace = Pace(data=self._seconds["data"] / self._steps, compute=self._seconds["compute"] / self._steps)
        self.restart()
        return row, pace
