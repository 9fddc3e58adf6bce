"""A real PostgreSQL on a socket of its own."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest


@contextmanager
def running() -> Iterator[str]:
    """The URI of an empty database until the block ends; skips the test where PostgreSQL is not installed."""
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        pytest.skip("PostgreSQL is not installed here")
    pytest.importorskip("psycopg2", reason="PostgreSQL's driver is not installed here")
    owner = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    switch = ["runuser", "-u", owner, "--"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="p") as folder:
        shutil.chown(folder, owner)
        run([*switch, "initdb", "-D", f"{folder}/d", "-U", "mlflow", "--auth=trust", "--no-sync"])
        listen = f"-k {folder} -c listen_addresses=''"
        run([*switch, "pg_ctl", "-D", f"{folder}/d", "-l", f"{folder}/log", "-w", "-o", listen, "start"])
        try:
            yield f"postgresql+psycopg2://mlflow@/postgres?host={folder}"
        finally:
            run([*switch, "pg_ctl", "-D", f"{folder}/d", "-m", "immediate", "stop"])


def run(command: Sequence[str]) -> None:
    """A command whose output is of no interest unless it fails."""
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, cwd="/")
    assert done.returncode == 0, done.stderr.decode()
