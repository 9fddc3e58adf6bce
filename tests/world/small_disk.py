"""A small file system of its own, for tests that fill it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BALLAST = "ballast"
"""The file that takes what room is left; without it there is room again."""


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """Gives `folder` as a file system of 64 MiB; skips the test where nothing may be mounted."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not allow to mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Leave no room on it."""
    subprocess.run(["dd", "if=/dev/zero", f"of={disk / BALLAST}"], capture_output=True, check=False)
