"""The wheel in an environment of its own, which sees the pinned packages and nothing of this repository."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def install_wheel(folder: Path) -> Path:
    """Build the wheel without network and install it in a new environment below `folder`; gives its `bin`."""
    source = folder / "source"  # building leaves files beside what is built
    for package in ("dsn", "pipeline"):
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("LICENSE", "README.md", "pyproject.toml"):
        shutil.copyfile(ROOT / name, source / name)
    run(
        [
            *tool("uv"),
            "build",
            "--offline",
            "--wheel",
            "--no-build-isolation",
            "--out-dir",
            f"{folder}/dist",
            str(source),
        ]
    )
    run([sys.executable, "-m", "venv", "--without-pip", f"{folder}/env"])
    python = folder / "env" / "bin" / "python"
    wheels = [str(path) for path in (folder / "dist").glob("*.whl")]
    run([*tool("uv"), "pip", "install", "--offline", "--no-deps", "--python", str(python), *wheels])
    purelib = run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip()
    Path(purelib, "pinned.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for name in ("mlflow", "uvicorn"):  # the pinned ones run in the pinned environment, which has no wheel
        program = python.with_name(name)
        program.write_text(f'#!/bin/sh\nexec "{python}" -m {name} "$@"\n')
        program.chmod(0o755)
    return folder / "env" / "bin"


def tool(name: str) -> list[str]:
    """A program of this environment."""
    return [str(Path(sys.executable).with_name(name))]


def run(command: Sequence[str], *, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(
        command, cwd=folder, env=environment, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def environment_of(programs: Path, *, uri: str) -> dict[str, str]:
    """An environment whose programs are those of the wheel's, then the pinned packages', with a registry."""
    foreign = ("RAY_", "DVC_", "MLFLOW_", "PYTHONPATH", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    path = f"{programs}:{Path(sys.executable).parent}:{kept['PATH']}"
    return {**kept, "PATH": path, "MLFLOW_TRACKING_URI": uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
