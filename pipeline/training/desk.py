"""What driver and workers tell each other while training runs: a small Ray actor beside the driver."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.refusal import Refusal
from pipeline.training.recipe import Row
from pipeline.training.sole import taken

NAMESPACE = "dsn-pose"
"""All drivers know each other's desks in it; by default each has a namespace of its own."""

LEAVING = 15.0
"""Seconds within which Ray ends the desk of a driver that was killed."""

News = Row | str | Refusal | None
"""A line of numbers, a line of text, why training cannot go on, or None: that was all."""


class Desk:
    """Takes news for the driver, and the driver's wish to stop for the workers. It stays set for those who ask late."""

    def __init__(self) -> None:
        self._news: asyncio.Queue[News] = asyncio.Queue()
        self._stop = asyncio.Event()

    async def tell(self, news: News) -> None:
        """Leave something for the driver."""
        await self._news.put(news)

    async def hear(self) -> News:
        """Wait for the next of the news."""
        return await self._news.get()

    async def ask_to_stop(self) -> None:
        """Ask the workers to keep a checkpoint and stop."""
        self._stop.set()

    async def until_asked_to_stop(self) -> None:
        """Wait for that."""
        await self._stop.wait()


@contextmanager
def opened_desk(name: str) -> Iterator[Any]:
    """The desk of the run of this name, on the driver's node, so that it is gone only when the driver is.

    What was under way to it when the network broke is sent again, so a worker may be heard twice.

    Raises:
        Refusal: another driver on this cluster has opened it.
    """
    import ray  # noqa: PLC0415  (after the environment is set)
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    known = {"name": f"desk-{name}", "namespace": NAMESPACE}
    desk = _made(ray.remote(Desk).options(num_cpus=0, max_task_retries=-1, scheduling_strategy=here, **known), name)
    try:
        yield desk
    finally:
        ray.kill(desk)


def _made(kind: Any, name: str) -> Any:
    """An actor whose name may be taken for a while yet."""
    deadline = time.monotonic() + LEAVING
    while True:
        try:
            return kind.remote()
        except ValueError:  # the name is taken
            if time.monotonic() > deadline:
                raise taken(name) from None
            time.sleep(0.2)
