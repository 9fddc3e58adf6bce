"""The most memory that a process has had."""

from pathlib import Path


def peak_mb() -> int:
    """This program's largest resident memory in MiB; `ru_maxrss` would count its parent's, which it was forked from."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return round(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
