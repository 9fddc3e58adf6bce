"""Clones of this repository in which the tests run whole pipelines."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 1200.0
"""Behind this a command hangs."""


def clone_of_head(folder: Path) -> None:
    """Clone this repository's HEAD into `folder`; skip the test where there is nothing to clone."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is not a git repository, so there is nothing to clone")
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)


def clean_environment(*, site: Path) -> dict[str, str]:
    """This environment's programs, and no cluster, server or DVC settings from elsewhere."""
    foreign = ("RAY_", "DVC_", "MLFLOW_", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    path = f"{Path(sys.executable).parent}:{kept['PATH']}"
    return {**kept, "PATH": path, "DVC_SITE_CACHE_DIR": str(site), "DVC_NO_ANALYTICS": "1"}


def started(command: Sequence[str], folder: Path, *, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """A command in a process group of its own, as a terminal starts it; its output and errors come together."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def executed(
    command: Sequence[str], folder: Path, *, environment: Mapping[str, str], seconds: float = SECONDS
) -> tuple[int, str]:
    """Status and output of a command; one that takes too long is interrupted, as by Ctrl-C, so that it cleans up."""
    process = started(command, folder, environment=environment)
    try:
        output, _ = process.communicate(timeout=seconds)
    except BaseException:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
        raise
    return process.returncode, output


def dvc(*arguments: str, folder: Path, environment: Mapping[str, str]) -> str:
    """What a DVC command prints, which must succeed."""
    status, output = executed(["dvc", *arguments], folder, environment=environment)
    assert status == 0, output
    return output


def stages_run(output: str) -> list[str]:
    """Names of the stages that a `dvc repro` ran."""
    return re.findall(r"^Running stage '([\w-]+)'", output, flags=re.MULTILINE)
