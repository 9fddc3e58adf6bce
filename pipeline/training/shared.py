"""Look whether all hosts of a cluster reach the place for checkpoints: before a run begins, and wherever it goes on."""

import secrets
import socket

from fsspec.core import url_to_fs

from pipeline.refusal import Refusal

MARK = "driver"
"""The driver's mark in a run's folder, by which workers know that they see the same folder."""
WANTED = (
    "wanted a folder that all hosts share at the same path, or a URL such as s3://BUCKET/RUNS, for a run goes on from "
    "its checkpoints on any of them"
)


def refuse_unshared(storage: str) -> None:
    """Refuse a place that a host of the cluster does not reach; a cluster of one host reaches every place.

    The driver leaves a small file there, each host that can train looks for it, and it is removed.

    Args:
        storage: an absolute path, or a URL that fsspec knows.

    Raises:
        Refusal: a host does not find what the driver wrote.
    """
    import ray  # noqa: PLC0415  (after the environment is set)
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

    known = ray.nodes()  # type: ignore[no-untyped-call]
    nodes = [node["NodeID"] for node in known if node["Alive"] and node["Resources"].get("CPU")]
    if len(nodes) < 2:
        return
    token = secrets.token_hex(16)
    files, path = url_to_fs(storage)
    files.makedirs(path, exist_ok=True)
    probe = f".probe-{token}"
    files.pipe_file(f"{path}/{probe}", token.encode())
    look = ray.remote(num_cpus=0)(_unlike)
    try:
        strategies = [NodeAffinitySchedulingStrategy(node, soft=False) for node in nodes]
        found = ray.get([look.options(scheduling_strategy=one).remote(storage, probe, token) for one in strategies])
    finally:
        files.rm_file(f"{path}/{probe}")
    missing = sorted(host for host in found if host is not None)
    if missing:
        raise Refusal(
            f"cluster.storage: {storage} is not the same place on {', '.join(missing)} as on {socket.gethostname()}, "
            f"where the driver runs; {WANTED}"
        )


def mark(folder: str) -> str:
    """Leave the driver's mark in a run's folder; gives what it says.

    Raises:
        Refusal: nothing can be written there.
    """
    token = secrets.token_hex(16)
    files, path = url_to_fs(folder)
    try:
        files.makedirs(path, exist_ok=True)
        files.pipe_file(f"{path}/{MARK}", token.encode())
    except OSError as error:
        raise unwritable(folder, error) from error
    return token


def unwritable(folder: str, error: OSError) -> Refusal:
    """Why a run cannot begin in a folder that takes no files."""
    return Refusal(
        f"cluster.storage: nothing can be written to {folder} ({error}); make room there, or set another place"
    )


def refuse_apart(folder: str, token: str) -> None:
    """Refuse to work on a host that does not see the driver's mark, as on one that joined after the run had begun.

    It would find none of the run's checkpoints, and start over.

    Raises:
        Refusal: `token` is not there.
    """
    host = _unlike(folder, MARK, token)
    if host is not None:
        raise Refusal(
            f"cluster.storage: {folder} is not the same place on {host}, which has joined the cluster, as where the "
            f"driver runs; {WANTED}; mount it there or take that host away, and the same command goes on with the run"
        )


def _unlike(storage: str, probe: str, token: str) -> str | None:
    """This host's name and address, where the probe is not there as it was written."""
    from ray.util import get_node_ip_address  # noqa: PLC0415

    files, path = url_to_fs(storage)
    place = f"{path}/{probe}"
    if files.exists(place) and files.cat_file(place) == token.encode():
        return None
    return f"{socket.gethostname()} ({get_node_ip_address()})"  # type: ignore[no-untyped-call]
