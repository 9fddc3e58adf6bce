"""Several hosts on one machine: network namespaces joined by a cable, with a Ray cluster across them."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAD, OTHER = "10.213.77.1", "10.213.77.2"
PORT = 6399
SECONDS = 180.0
"""Behind this a cluster does not come up any more."""


@contextmanager
def two_hosts() -> Iterator[tuple[str, str]]:
    """The names of two namespaces that reach each other as HEAD and OTHER; skips the test where there can be none.

    Whatever runs in them is killed at the end.
    """
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and the program ip")
    names = f"dsn{os.getpid()}a", f"dsn{os.getpid()}b"
    try:
        for name in names:
            if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
                pytest.skip("this machine does not allow network namespaces")
        ip("link", "add", "cable", "netns", names[0], "type", "veth", "peer", "name", "cable", "netns", names[1])
        for name, address in zip(names, (HEAD, OTHER), strict=True):
            ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            for device in ("cable", "lo"):
                ip("-n", name, "link", "set", device, "up")
        yield names
    finally:
        for name in names:
            _remove(name)


def ip(*arguments: str) -> str:
    """What the program ip prints, which must succeed."""
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout


def _remove(name: str) -> None:
    """End all that runs in a namespace, then the namespace."""
    found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False).stdout
    for process in found.split():
        os.kill(int(process), signal.SIGKILL)
    subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


@contextmanager
def ray_across(hosts: tuple[str, str], *, hidden: Path | None = None) -> Iterator[dict[str, str]]:
    """A Ray cluster with one CPU on each host; the environment in which a program of the first one finds it.

    Args:
        hosts: what `two_hosts` gave.
        hidden: a folder that the second host does not have.
    """
    folder = tempfile.mkdtemp(prefix="ray")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    common = "ray start --num-cpus=1 --object-store-memory=100000000 --block"
    head = f"{common} --head --node-ip-address={HEAD} --port={PORT} --include-dashboard=false --temp-dir={folder}"
    other = f"{common} --address={HEAD}:{PORT} --node-ip-address={OTHER}"
    hide = f"mount -t tmpfs none {hidden} && " if hidden else ""
    started = [_start(hosts[0], head, environment)]
    try:
        _await_nodes(1, host=hosts[0], environment=environment)
        started.append(_start(hosts[1], hide + other, environment))
        _await_nodes(2, host=hosts[0], environment=environment)
        yield {**environment, "RAY_ADDRESS": f"{HEAD}:{PORT}"}
    finally:
        for process in started:
            process.terminate()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _start(host: str, command: str, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Run a shell command on a host; `ip netns exec` gives it mounts of its own."""
    return subprocess.Popen(
        ["ip", "netns", "exec", host, "bash", "-c", command],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _await_nodes(count: int, *, host: str, environment: dict[str, str]) -> None:
    """Wait until so many nodes belong to the cluster."""
    look = f"from ray._raylet import GcsClient;print(len(GcsClient(address='{HEAD}:{PORT}').get_all_node_info()))"
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        found = subprocess.run(
            ["ip", "netns", "exec", host, "python", "-c", look], env=environment, capture_output=True, check=False
        )
        if found.stdout.strip() == str(count).encode():
            return
        time.sleep(1)
    pytest.fail(f"got no Ray cluster of {count} hosts within {SECONDS} seconds")
