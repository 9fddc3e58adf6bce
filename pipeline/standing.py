"""A Ray on this machine that stands between commands, from `cluster up` to `cluster down`."""

import json
import logging
import os
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from pipeline.refusal import Refusal

FILE = Path(".ray", "cluster.json")
"""How to reach it; readable for its owner alone, as the token is in it."""

SECONDS = 120.0
"""Behind this a start or an end hangs."""

TICK = 0.1
"""Seconds within which two readings of one beginning lie; the system counts in hundredths."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A cluster that runs until `cluster down`."""

    address: str
    token: str
    holder: int
    """Process that holds it."""
    since: float
    """When that process began, in seconds behind the machine's start: numbers of processes come again."""

    @property
    def process(self) -> psutil.Process | None:
        """The holder, if it still lives."""
        try:
            found = psutil.Process(self.holder)
            same = abs(began(found) - self.since) < TICK and found.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return found if same else None

    def answers(self) -> bool:
        """Whether something listens at the address."""
        host, _, port = self.address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except OSError:
            return False
        return True


def began(process: psutil.Process) -> float:
    """When a process began, in seconds behind the machine's start.

    Its time of day would change with the machine's clock, which is set while processes run.
    """
    return float(process.create_time() - psutil.boot_time())


def up() -> str:
    """Start a Ray on this machine that stays when this process ends; gives its address. One that is up stays."""
    found = address()
    if found is not None:
        return found
    FILE.parent.mkdir(exist_ok=True)
    output = FILE.with_suffix(".log")
    with output.open("wb") as file:
        command = [sys.executable, "-m", "pipeline", "cluster", "hold"]
        holder = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True)
    deadline = time.monotonic() + SECONDS
    while not FILE.exists():
        if holder.poll() is not None or time.monotonic() > deadline:
            holder.kill()
            raise Refusal(f"Ray did not start; {output} says why")
        time.sleep(0.1)
    return read().address


def down() -> bool:
    """End what `up` started, and nothing else; whether there was something to end."""
    if not FILE.exists():
        return False
    process = read().process
    if process is not None:
        process.terminate()
        try:
            process.wait(timeout=SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
    FILE.unlink(missing_ok=True)
    return process is not None


def address() -> str | None:
    """Where it answers, its token then in the environment; None where there is none, and a word where it died."""
    if not FILE.exists():
        return None
    standing = read()
    if standing.process is None or not standing.answers():
        log.warning("the cluster of `make cluster-up` at %s is dead; going on without it", standing.address)
        down()
        return None
    # Ray does not take up a token by itself where it is given an address.
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=standing.token)
    return standing.address


def read() -> Standing:
    """What `write` wrote."""
    return Standing(**json.loads(FILE.read_text(encoding="utf-8")))


def write(standing: Standing) -> None:
    """Tell how to reach it: whole or not at all, and never readable for others."""
    temporary = FILE.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(standing), file)
    temporary.replace(FILE)
