"""Clones of this repository in which the tests run whole pipelines."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
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


def dvc(*arguments: str, folder: Path, environment: Mapping[str, str]) -> str:
    """What a DVC command prints, which must succeed; one that takes too long is interrupted, so that it cleans up."""
    process = subprocess.Popen(
        ["dvc", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=SECONDS)
    except BaseException:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
        raise
    assert process.returncode == 0, output
    return output


def stages_run(output: str) -> list[str]:
    """Names of the stages that a `dvc repro` ran."""
    return re.findall(r"^Running stage '([\w-]+)'", output, flags=re.MULTILINE)
