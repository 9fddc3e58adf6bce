"""Run a benchmark and keep its JSON line in benchmarks/results/, with the day, the commit and the machine.

Example: python -m benchmarks.keep reading --rounds 9
"""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import torch

from pipeline.training.machine import processor

RESULTS = Path(__file__).parent / "results"


def machine() -> str:
    """The processor with its cores, and the GPU where there is one."""
    cores = f"{len(os.sched_getaffinity(0))} cores of {processor()}"
    return f"{cores}, {torch.cuda.get_device_name()}" if torch.cuda.is_available() else f"{cores}, no GPU"


def commit() -> str:
    """The commit that is checked out, and whether files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def main(name: str, *arguments: str) -> None:
    """Run a module of this package; what it prints is kept where it succeeds."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    day = datetime.now(UTC).date().isoformat()
    about = {"arguments": list(arguments), "date": day, "commit": commit(), "machine": machine()}
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}.json"
    file.write_text(json.dumps(about | found, indent=2) + "\n", encoding="utf-8")
    print(file)


if __name__ == "__main__":
    main(*sys.argv[1:])
