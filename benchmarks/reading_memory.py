"""Resident memory of a process that reads, for a dataset and for one of ten times as many samples.

The large dataset is the small one's shards again and again under other names, so both are read alike: by a reading
process beside the one that trains, and by the latter itself, whose torch alone takes 540 MB.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.reading import draw
from benchmarks.reading_settings import reader_config, recipe_of
from pipeline.posetrack.index import read_index
from pipeline.shards.manifest import read_manifest, write_manifest
from pipeline.shards.pack import pack_splits

BATCH, BATCHES = 16, 40
LIMITS = {"peak_mb": 600.0, "ten_times": 1.05}


def grown(shards: Path, folder: Path, *, samples: int) -> None:
    """A split of about so many samples, whose shards are links to those of another."""
    manifest = read_manifest(shards)
    folder.mkdir()
    entries = []
    for number in range(-(-samples // manifest.samples) * len(manifest.shards)):
        entry = manifest.shards[number % len(manifest.shards)]
        entries.append(replace(entry, name=f"{number:06d}.tar"))
        (folder / entries[-1].name).symlink_to(shards / entry.name)
    count = sum(entry.samples for entry in entries)
    write_manifest(replace(manifest, samples=count, shards=tuple(entries)), folder)


READ = """
import sys
from itertools import islice
from multiprocessing import active_children
from pathlib import Path

from benchmarks.reading_settings import SIZE, reader_config
from pipeline.shards.reader import training_batches

folder, workers, size, batches = Path(sys.argv[1]), *map(int, sys.argv[2:])
config = reader_config("drawn", workers=workers, prefetch=2)
reading = training_batches(folder, config, input_size=SIZE, batch_size=size, seed=0, epoch=0, rank=0, world=1)
for _ in islice(reading, batches):
    pass
for process in [child.pid for child in active_children()] or ["self"]:
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    print(int(status.partition("VmHWM:")[2].split()[0]) // 1024)
"""
"""Reads, and prints the peak in MB of the process that decodes: itself, or its child. As a command of its own it has no
module that its child would import."""


def measured(folder: Path, *, workers: int) -> int:
    """Peak resident memory in MB of the process that decodes."""
    command = [sys.executable, "-c", READ, str(folder), str(workers), str(BATCH), str(BATCHES)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def compare(*, samples: int) -> dict[str, Any]:
    """Peak memory of both kinds of process on both datasets."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "drawn")
        draw(root, videos=4)
        config = reader_config("drawn", workers=0, prefetch=0)
        recipe = recipe_of(config.augment)
        recipe = replace(recipe, shard=replace(recipe.shard, min_shards=1))
        pack_splits(read_index(root / "index"), root, root / "shards", recipe, run=map)
        for name, count in (("small", samples), ("large", 10 * samples)):
            grown(root / "shards" / "train", Path(folder, name), samples=count)
        return {
            kind: {name: measured(Path(folder, name), workers=workers) for name in ("small", "large")}
            for kind, workers in (("reading_process", 1), ("training_process", 0))
        }


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=20_000, help="of the small dataset")
    given = parser.parse_args()
    found = compare(samples=given.samples)
    grew = {kind: round(peaks["large"] / peaks["small"], 3) for kind, peaks in found.items()}
    holds = max(found["reading_process"].values()) <= LIMITS["peak_mb"] and max(grew.values()) <= LIMITS["ten_times"]
    line = {"benchmark": "reading_memory", "samples": given.samples, "peak_mb": found, "ten_times": grew}
    print(json.dumps({**line, "limits": LIMITS, "holds": holds}))


if __name__ == "__main__":
    main()
