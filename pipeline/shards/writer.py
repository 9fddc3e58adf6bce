"""Packing on Ray: one task a video, then one task a shard, few of them handed out at a time."""

import logging
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pipeline.cluster import connected
from pipeline.posetrack.index import Index
from pipeline.refusal import Refusal
from pipeline.shards.pack import Packed, pack_splits
from pipeline.shards.recipe import Recipe

Task = TypeVar("Task")
Result = TypeVar("Result")

AHEAD = 2
"""Tasks that are handed out for each CPU of the cluster: enough to keep it busy, and few to hold in memory."""
RETRIES = 5
"""How often a task is started again whose worker died."""
PATIENCE = 30.0
"""Seconds that running tasks are given to end after one has failed."""

log = logging.getLogger(__name__)


def write_shards(index: Index, root: Path, out: Path, recipe: Recipe) -> Packed:
    """Pack the dataset at `root` on Ray; see `pack_splits`.

    Raises:
        Refusal: as `pack_splits`, or a host of the cluster does not see the folders.
    """
    began = time.monotonic()
    with connected():
        started = time.monotonic()
        refuse_unshared(read=root / index.frames["file"].iloc[0], write=out)
        packed = pack_splits(index, root, out, recipe, run=run_on_ray)
    seconds = time.monotonic() - started
    total = sum(packed.samples.values())
    log.info(
        "packed %s clips from %d frames, each decoded once: %.0f KB and %.1f ms a clip, after %.1f s of starting Ray",
        ", ".join(f"{count} {split}" for split, count in packed.samples.items()),
        packed.decoded,
        packed.size / total / 1e3,
        1e3 * seconds / total,
        started - began,
    )
    return packed


def run_on_ray(function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """Each task as a Ray task of one CPU, started again where a worker dies; results as they come.

    Raises:
        Refusal: the one that a task raised.
    """
    import ray  # noqa: PLC0415  (reads the environment on import)
    from ray.exceptions import RayTaskError  # noqa: PLC0415

    remote = ray.remote(num_cpus=1, max_retries=RETRIES)(function)
    running: list[Any] = []
    try:
        for task in tasks:
            running.append(remote.remote(task))
            if len(running) >= AHEAD * ray.cluster_resources()["CPU"]:  # type: ignore[no-untyped-call]
                yield _first(running)
        while running:
            yield _first(running)
    except RayTaskError as error:
        if isinstance(error.cause, Refusal):
            raise error.cause from None
        raise
    finally:
        for reference in running:
            ray.cancel(reference)
        if running:
            ray.wait(running, num_returns=len(running), timeout=PATIENCE)


def _first(running: list[Any]) -> Any:
    """The result of the first task to end, which is taken off the list."""
    import ray  # noqa: PLC0415

    (done,), running[:] = ray.wait(running, num_returns=1)
    return ray.get(done)


def refuse_unshared(*, read: Path, write: Path) -> None:
    """Every host of the cluster must read the dataset and the shards at the paths that they have here.

    Args:
        read: a file of the dataset.
        write: the folder for shards.

    Raises:
        Refusal: a host does not.
    """
    import ray  # noqa: PLC0415
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

    write.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(16)
    probe = write.resolve() / f".probe-{token}"
    probe.write_text(token, encoding="utf-8")
    look = ray.remote(num_cpus=0)(_missing)
    try:
        known = ray.nodes()  # type: ignore[no-untyped-call]
        nodes = [node["NodeID"] for node in known if node["Alive"] and node["Resources"].get("CPU")]
        strategies = [NodeAffinitySchedulingStrategy(node, soft=False) for node in nodes]
        found = ray.get(
            [look.options(scheduling_strategy=strategy).remote(read.resolve(), probe, token) for strategy in strategies]
        )
    finally:
        probe.unlink()
    for host, folder in found:
        if folder is not None:
            raise Refusal(
                f"{folder}: host {host} of the Ray cluster does not see it as this one does; wanted a folder that all "
                "hosts share: mount it at the same path everywhere, or unset RAY_ADDRESS to pack on this host alone"
            )


def _missing(read: Path, probe: Path, token: str) -> tuple[str, Path | None]:
    """This host's name, and the first of the two folders that is another here."""
    if not read.is_file():
        return socket.gethostname(), read.parent
    if not (probe.is_file() and probe.read_text(encoding="utf-8") == token):
        return socket.gethostname(), probe.parent
    return socket.gethostname(), None
