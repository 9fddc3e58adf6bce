"""Packing on Ray: one task a video, then one task a shard."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from pipeline.cluster import connected
from pipeline.posetrack.index import Index
from pipeline.refusal import Refusal
from pipeline.shards.pack import pack_splits
from pipeline.shards.recipe import Recipe, Split

Task = TypeVar("Task")
Result = TypeVar("Result")

INTERVAL = 5.0
"""Seconds between two lines of progress."""

log = logging.getLogger(__name__)


def write_shards(index: Index, root: Path, out: Path, recipe: Recipe) -> dict[Split, int]:
    """Pack the dataset at `root` on Ray; see `pack_splits`."""
    began = time.monotonic()
    with connected():
        started = time.monotonic()
        counts = pack_splits(index, root, out, recipe, run=run_on_ray)
    seconds = time.monotonic() - started
    total = sum(counts.values())
    shown = ", ".join(f"{count} {split}" for split, count in counts.items())
    log.info("packed %s clips: %.0f clips/s after %.1f s of starting Ray", shown, total / seconds, started - began)
    return counts


def run_on_ray(function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterable[Result]:
    """Each task as a Ray task of one CPU, started again where a worker dies; results in the tasks' order.

    Raises:
        Refusal: the one that a task raised.
    """
    import ray  # noqa: PLC0415  (reads the environment on import)
    from ray.exceptions import RayTaskError  # noqa: PLC0415

    remote = ray.remote(num_cpus=1, max_retries=3)(function)
    references = [remote.remote(task) for task in tasks]
    try:
        _follow(references, what=function.__name__)
        return list(ray.get(references))
    except RayTaskError as error:
        for reference in references:
            ray.cancel(reference)
        if isinstance(error.cause, Refusal):
            raise error.cause from None
        raise


def _follow(references: Sequence[object], *, what: str) -> None:
    """A line every few seconds until all are done or one has failed."""
    import ray  # noqa: PLC0415

    began = time.monotonic()
    waiting = list(references)
    while waiting:
        done, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=INTERVAL)
        ray.get(done)
        if waiting:
            count = len(references) - len(waiting)
            left = f", {(time.monotonic() - began) / count * len(waiting):.0f} s left" if count else ""
            log.info("%s: %d of %d done%s", what, count, len(references), left)
