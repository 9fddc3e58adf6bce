"""A real MLflow server on loopback, on a port that stays the same; it can be killed and started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import psutil

from tests.world.ports import free_port


class Server:
    """An MLflow server with a process group of its own; what it says is in `log`."""

    def __init__(self, folder: Path, options: Sequence[str], *, environment: Mapping[str, str] | None = None) -> None:
        """Of the options its port is not one."""
        self.uri = f"http://127.0.0.1:{free_port()}"
        self.log = folder / "server.log"
        self._options, self._environment = options, environment or {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns at once."""
        port = self.uri.rpartition(":")[2]
        command = [sys.executable, "-m", "mlflow", "server", *self._options, "--workers", "1", "--port", port]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **self._environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Until it answers, which it does without a password where it is asked for its health alone."""
        deadline = time.monotonic() + 150
        while True:
            try:
                urlopen(f"{self.uri}/health", timeout=5).close()
            except OSError:
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.2)
            else:
                return

    def processes(self) -> list[psutil.Process]:
        """It and its workers; nobody while it is dead."""
        if self._process is None:
            return []
        own = psutil.Process(self._process.pid)
        return [own, *own.children(recursive=True)]

    def kill(self) -> None:
        """End it and its workers by SIGKILL; a second time changes nothing."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@contextmanager
def serving(folder: Path, database: str) -> Iterator[Server]:
    """A server that answers, with its runs in `database` and their files in `folder`, until the block ends."""
    stores = ["--backend-store-uri", database, "--artifacts-destination", str(folder / "artifacts")]
    server = Server(folder, ["--host", "127.0.0.1", *stores])
    try:
        server.start()
        server.wait()
        yield server
    finally:
        server.kill()
