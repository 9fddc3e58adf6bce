"""How far a prediction is, how fast, and how long it will take; and how long each frame took."""

import math
import os
import sys
from collections.abc import Sequence
from time import monotonic

import numpy as np

ON_A_TERMINAL, ELSEWHERE = 0.2, 10.0
"""Seconds between two lines: a terminal's line is written over itself, a log's stays, and CI's has the last alone."""


class Pace:
    """Tells on the error stream, so that what is printed can be piped on."""

    def __init__(self, name: str, *, total: int) -> None:
        """Begin now.

        Args:
            name: of the footage.
            total: frames that are expected; 0 where nobody knows.
        """
        self._name, self._total = name, total
        self._begin = self._told = monotonic()
        self._is_terminal = sys.stderr.isatty()
        self._interval = ON_A_TERMINAL if self._is_terminal else math.inf if os.environ.get("CI") else ELSEWHERE
        self._done = 0

    def tick(self) -> None:
        """One more frame is done."""
        self._done += 1
        if monotonic() - self._told >= self._interval:
            self._told = monotonic()
            self._tell()

    def end(self) -> None:
        """The last line."""
        self._tell()
        if self._is_terminal:
            sys.stderr.write("\n")

    def _tell(self) -> None:
        line = self.line(monotonic() - self._begin)
        sys.stderr.write(f"\r\x1b[K{line}" if self._is_terminal else f"{line}\n")
        sys.stderr.flush()

    def line(self, seconds: float) -> str:
        """What is told after so many seconds."""
        rate = self._done / max(seconds, 1e-9)
        of_all = f" of {self._total}" if self._total else ""
        left = f", {max(0, self._total - self._done) / rate:.0f} s left" if self._total and self._done else ""
        return f"{self._name}: {self._done}{of_all} frames, {rate:.1f} frames/s{left}"


def latencies(milliseconds: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile, of at least one frame."""
    median, high = np.percentile(milliseconds, [50, 95]).tolist()
    return {"median_ms": round(median, 1), "p95_ms": round(high, 1)}
