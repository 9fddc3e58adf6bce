"""What ranks learn of each other with every line of progress: what they did without, and whether one is slow."""

import os
import socket
from collections.abc import Callable, Sequence
from statistics import median

import torch
from torch import distributed

from pipeline.shards.batch import ClipBatch
from pipeline.training.clock import Pace

SLOW = 3.0
"""A rank is slow that needs so many times as long as the others."""
LEAST = 0.05
"""Seconds a step that it loses at least: less is chance."""


class Watch:
    """One rank's view of all ranks; each calls it equally often."""

    def __init__(self, rank: int, *, device: torch.device, tell: Callable[[str], None]) -> None:
        self._rank, self._device, self._tell = rank, device, tell
        self._quarantined = 0
        self._known: set[str] = set()
        self._is_slow = False

    def take(self, batch: ClipBatch, *, step: int) -> None:
        """Count records that could not be read, and tell of each once."""
        self._quarantined += len(batch.quarantined)
        for name in sorted({*batch.quarantined} - self._known):
            self._known.add(name)
            self._tell(f"step {step}: quarantined {name}; another sample stands in")

    def compare(self, pace: Pace, *, step: int) -> float:
        """Tell of this rank when it becomes slow; gives how often all ranks had to do without a record."""
        seen = self._gathered([float(self._quarantined), pace.data, pace.compute])
        others = [data + compute for rank, (_, data, compute) in enumerate(seen) if rank != self._rank]
        usual = median(others) if others else float("inf")
        own = pace.data + pace.compute
        is_slow = own > SLOW * usual and own - usual > LEAST
        if is_slow and not self._is_slow:
            who = f"rank {self._rank} (process {os.getpid()} on {socket.gethostname()})"
            self._tell(
                f"step {step}: {who} is slow, and all wait for it: it needs {own:.2f} s a step, "
                f"{pace.data:.2f} s of them for data, where the others need {usual:.2f} s"
            )
        self._is_slow = is_slow
        return sum(quarantined for quarantined, _, _ in seen)

    def _gathered(self, values: list[float]) -> Sequence[Sequence[float]]:
        """Every rank's values, in order of rank."""
        own = torch.tensor(values, dtype=torch.float64, device=self._device)
        if not distributed.is_initialized():
            return [values]
        everyone = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
        distributed.all_gather(everyone, own)
        found: list[list[float]] = torch.stack(everyone).tolist()
        return found
