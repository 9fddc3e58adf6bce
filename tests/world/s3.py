"""A real S3-speaking server on loopback, which holds the files of a folder; it can be killed and started again."""

import math
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

BUCKET = "shards"
ROOT = Path(__file__).parents[2]
SERVE = """
import sys, threading
from pathlib import Path
import boto3
from moto.server import ThreadedMotoServer

port, bucket, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
private = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
private.start()
client = boto3.client("s3", endpoint_url="http://%s:%d" % private.get_host_and_port())
client.create_bucket(Bucket=bucket)
for path in sorted(folder.rglob("*")):
    if path.is_file():
        client.upload_file(str(path), bucket, str(path.relative_to(folder)))
ThreadedMotoServer(ip_address="127.0.0.1", port=port).start()
threading.Event().wait()
"""
"""Both servers of the process share what they hold, so whoever reaches the known port finds all files there."""


class Server:
    """One server process on a port that stays the same."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """What AWS_ENDPOINT_URL must say."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve the folder's files; returns at once."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(self.port), BUCKET, str(self._folder)],
            env={**os.environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"},  # moto takes any
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        """Until it answers."""
        deadline = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < deadline, "the S3 server does not answer"
                time.sleep(0.1)
            else:
                return

    def deny(self) -> None:
        """Refuse everybody's requests from now on, as a store does that takes no writes."""
        self._let(0)

    def allow(self) -> None:
        """Answer everybody again."""
        self._let(math.inf)

    def _let(self, requests: float) -> None:
        """By moto's own switch: so many requests may pass without a key that it knows."""
        text = {"Content-Type": "text/plain"}
        urlopen(Request(f"{self.address}/moto-api/reset-auth", str(requests).encode(), text)).close()

    def kill(self) -> None:
        """End it by SIGKILL; a second time changes nothing."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


def point_at(server: Server, patch: pytest.MonkeyPatch) -> None:
    """Let S3 clients of this process, and of those that it starts, find the server; one try a request."""
    for name, value in {
        "AWS_ENDPOINT_URL": server.address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        patch.setenv(name, value)
