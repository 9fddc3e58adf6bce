"""Batches made by several processes, which share the memory of frames with this one instead of sending it.

A process of `multiprocessing` each, which imports no torch. Frames lie in anonymous files of memory: they have no name,
so nothing is left of them, however a process ends.
"""

import mmap
import multiprocessing
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import cycle
from math import prod
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from jaxtyping import UInt8

from pipeline.shards.clip import Clips
from pipeline.shards.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """A batch whose frames are in another process's file."""

    made: Clips
    """Without its frames."""
    shape: tuple[int, ...]
    process: int
    file: int


class _Worker:
    """What one of the processes does."""

    def __init__(self, source: Source, *, start: int, step: int, kept: int) -> None:
        self._batches = source.read(start=start, step=step, empty=self._empty)
        self._files: deque[int] = deque()
        self._kept = kept

    def next(self) -> _Sent | None:
        """The next batch; None behind the last."""
        made = next(self._batches, None)
        if made is None:
            return None
        without = replace(made, frames=made.frames[:0].copy())
        return _Sent(made=without, shape=made.frames.shape, process=os.getpid(), file=self._files[-1])

    def _empty(self, shape: tuple[int, ...], *, dtype: Any) -> UInt8[np.ndarray, "B T H W 3"]:
        """Memory that another process can map, and that stays until some more batches are made."""
        self._files.append(os.memfd_create("clips"))
        os.ftruncate(self._files[-1], max(1, prod(shape)))
        if len(self._files) > self._kept:
            os.close(self._files.popleft())
        return _mapped(self._files[-1], shape).view(dtype)


_WORKERS: list[_Worker] = []
"""In a process that reads, its worker."""


def _begin(source: Source, start: int, step: int, kept: int) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    _WORKERS.append(_Worker(source, start=start, step=step, kept=kept))


def _end_with_parent() -> None:
    """A process that is killed cannot end those that read for it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _next() -> _Sent | None:
    return _WORKERS[0].next()


def from_processes(source: Source, *, workers: int, prefetch: int) -> Iterator[Clips]:
    """All batches in order: of W processes, process w makes batches w, w + W, ..., `prefetch` of them ahead.

    An error comes at the batch that it stands for; a process that is killed is one.
    """
    context = multiprocessing.get_context("spawn")  # as a forkserver would, but with the environment of now
    with ExitStack() as stack:
        waiting: deque[Future[_Sent | None]] = deque()
        stack.callback(lambda: [future.cancel() for future in waiting])
        pools = [
            stack.enter_context(
                ProcessPoolExecutor(
                    1, mp_context=context, initializer=_begin, initargs=(source, start, workers, prefetch + 2)
                )
            )
            for start in range(workers)
        ]
        waiting.extend(pool.submit(_next) for _ in range(prefetch) for pool in pools)
        for pool in cycle(pools):
            sent = waiting.popleft().result()
            if sent is None:
                return
            made = _received(sent)
            waiting.append(pool.submit(_next))
            yield made


def _received(sent: _Sent) -> Clips:
    """The batch with its frames, whose memory this process shares from now on; it is freed with the array."""
    with Path(f"/proc/{sent.process}/fd/{sent.file}").open("r+b") as file:
        return replace(sent.made, frames=_mapped(file.fileno(), sent.shape))


def _mapped(file: int, shape: tuple[int, ...]) -> UInt8[np.ndarray, "B T H W 3"]:
    memory = mmap.mmap(file, max(1, prod(shape)))
    return np.frombuffer(memory, dtype=np.uint8, count=prod(shape)).reshape(shape)
