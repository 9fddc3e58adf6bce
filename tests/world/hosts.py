"""A Ray cluster of several hosts on one machine: network namespaces on a bridge, each with an address of its own."""

import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

NETWORK = "10.77.0"
PORT = 6379
SECONDS = 120.0
"""Behind this a start or an end hangs."""


def _skip_where_impossible() -> None:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("hosts in network namespaces need root and the program ip")
    if subprocess.run(["ip", "netns", "add", f"dsn{os.getpid()}s"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not allow network namespaces")


def ip(*arguments: str) -> str:
    """What `ip` prints."""
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


@dataclass(slots=True)
class Host:
    """One namespace with a Ray node in it."""

    name: str
    address: str
    bridge: str
    """The namespace in which the other end of its cable is."""
    hidden: Path | None = None
    """A folder that it does not have."""
    node: "subprocess.Popen[bytes] | None" = None

    def command(self, *command: str) -> list[str]:
        """A command line that runs there."""
        return ["ip", "netns", "exec", self.name, *command]

    def pids(self) -> list[int]:
        """Processes that run there."""
        return [int(pid) for pid in ip("netns", "pids", self.name).split()]

    def titles(self) -> list[str]:
        """What those processes call themselves."""
        return [_title(pid) for pid in self.pids()]

    def vanish(self) -> None:
        """Take it off the network and end all that runs there, as when the power fails."""
        self.unplug()
        while pids := self.pids():
            for pid in pids:
                _kill(pid)
            time.sleep(0.05)
        if self.node is not None:
            self.node.wait(timeout=SECONDS)

    def unplug(self) -> None:
        """Pull the cable."""
        ip("-n", self.bridge, "link", "set", self.name, "down")

    def plug(self) -> None:
        """Put the cable back."""
        ip("-n", self.bridge, "link", "set", self.name, "up")


@dataclass(slots=True)
class Cluster:
    """Hosts, the head first, one CPU each."""

    folder: Path
    """For Ray's sockets and logs; its name is short."""
    hosts: list[Host]
    settings: Mapping[str, str]
    """Of Ray, in the environment of its nodes."""
    token: str = field(default_factory=lambda: secrets.token_hex(32))

    @property
    def address(self) -> str:
        return f"{self.hosts[0].address}:{PORT}"

    @property
    def environment(self) -> dict[str, str]:
        """What a driver needs to be let in; it runs on the head."""
        return {"RAY_ADDRESS": self.address, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}

    def start(self, host: Host) -> None:
        """Start Ray there, and wait until it has joined."""
        log = self.folder / f"{host.name}.log"
        host.node = self._begin(host, log)
        deadline = time.monotonic() + SECONDS
        while "Ray runtime started." not in log.read_text():
            assert host.node.poll() is None, log.read_text()
            assert time.monotonic() < deadline, f"{host.name} does not start"
            time.sleep(0.2)

    def _begin(self, host: Host, log: Path) -> "subprocess.Popen[bytes]":
        own = ["--head", f"--port={PORT}", "--include-dashboard=false", f"--temp-dir={self.folder}"]
        role = own if host is self.hosts[0] else [f"--address={self.address}"]
        ray = str(Path(sys.executable).with_name("ray"))
        settings = ["--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats", "--block"]
        start = shlex.join([ray, "start", *role, f"--node-ip-address={host.address}", *settings])
        hide = f"mount -t tmpfs none {host.hidden} && " if host.hidden else ""  # the namespace has mounts of its own
        command = host.command("bash", "-c", f"{hide}exec {start}")
        with log.open("wb") as output:
            return subprocess.Popen(command, env=self._node_environment(), stdout=output, stderr=output)

    def _node_environment(self) -> Mapping[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "MLFLOW_"))}
        own = {"GLOO_SOCKET_IFNAME": "eth0", "OMP_NUM_THREADS": "1", "RAY_AUTH_MODE": "token"}
        return {**kept, **own, **self.settings, "RAY_AUTH_TOKEN": self.token}


@contextmanager
def cluster_of(
    count: int, *, hidden: Path | None = None, settings: Mapping[str, str] | None = None, started: int | None = None
) -> Iterator[Cluster]:
    """That many hosts with Ray on them, which has some `settings`; at the end, nothing of them is left.

    Skips the test where there can be none. The last host does not have the folder `hidden`. Only the first `started`
    have Ray already, where that is given.
    """
    _skip_where_impossible()
    bridge = f"dsn{os.getpid()}s"
    hosts = [Host(f"dsn{os.getpid()}{'abcdefgh'[n]}", f"{NETWORK}.{n + 1}", bridge) for n in range(count)]
    hosts[-1].hidden = hidden
    folder = Path(tempfile.mkdtemp(prefix="h"))
    try:
        ip("-n", bridge, "link", "add", "br0", "type", "bridge")
        ip("-n", bridge, "link", "set", "br0", "up")
        for host in hosts:
            _wire(host)
        cluster = Cluster(folder, hosts, settings or {})
        for host in hosts[:started]:
            cluster.start(host)  # one after the other: nodes that share a disk share Ray's folder
        yield cluster
    finally:
        _remove(hosts, bridge)
        shutil.rmtree(folder, ignore_errors=True)


def _wire(host: Host) -> None:
    ip("netns", "add", host.name)
    ip("-n", host.bridge, "link", "add", host.name, "type", "veth", "peer", "name", "eth0", "netns", host.name)
    ip("-n", host.bridge, "link", "set", host.name, "master", "br0", "up")
    ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", "eth0")
    for device in ("lo", "eth0"):
        ip("-n", host.name, "link", "set", device, "up")


def _remove(hosts: Sequence[Host], bridge: str) -> None:
    there = ip("netns", "list")
    for host in hosts:
        if host.name in there:
            for pid in host.pids():
                _kill(pid)
            ip("netns", "delete", host.name)
        if host.node is not None:
            host.node.wait(timeout=SECONDS)
    ip("netns", "delete", bridge)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except FileNotFoundError:
        return ""
