"""Frames a second of the official AP and MOTA, on one core, for PoseTrack18 and PoseTrack17 JSON, and peak memory.

100 videos of 60 frames with 5 people on each side are drawn as files. Floor: the standard library's `json.loads` of the
same files, without anything done with them. Rival: the protocol as one loop over frames, people and joints with
motmetrics, which is how the official evaluator goes about it (its own figure, not measured here, is about 100 frames a
second for AP alone); it runs on fewer videos, and its AP has to be ours. Every run is a process of its own, after a
first small run for its imports.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.peak_memory import peak_mb
from benchmarks.scored_folders import write_folders
from benchmarks.scoring_ways import floor, ours, ours_reading, ours_without_tracking, rival

WAYS: dict[str, Callable[[Path, Path], float]] = {
    "ours": ours,
    "ours_without_tracking": ours_without_tracking,
    "ours_reading": ours_reading,
    "floor": floor,
    "rival": rival,
}
KINDS = ("18", "17")
FRAMES = 60
LIMITS = {"frames_per_second": 5_000, "peak_mb": 1_000}


def run(way: str, folder: Path, *, small: Path) -> dict[str, float]:
    """Seconds of processor time and peak memory of one way, in this process."""
    WAYS[way](small / "gt", small / "pred")
    began = time.process_time()
    result = WAYS[way](folder / "gt", folder / "pred")
    return {"seconds": time.process_time() - began, "peak_mb": peak_mb(), "result": result}


def measured(way: str, folder: Path, *, small: Path) -> dict[str, float]:
    """The same in a process of its own, with one thread."""
    command = [sys.executable, "-m", "benchmarks.scoring", "--way", way, "--folder", str(folder), "--small", str(small)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    printed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    found: dict[str, float] = json.loads(printed)
    return found


def compare(*, videos: int, rival_videos: int, rounds: int) -> dict[str, Any]:
    """All ways in turns, on both kinds of files; the rival once, on the first videos of PoseTrack18."""
    with tempfile.TemporaryDirectory() as folder:
        large, few, small = (Path(folder, name) for name in ("large", "few", "small"))
        for path, count in ((large, videos), (few, rival_videos), (small, 1)):
            write_folders(path, videos=count, frames=FRAMES)
        against = {way: measured(way, few / "18", small=small / "18") for way in ("rival", "ours")}
        if abs(against["rival"]["result"] - against["ours"]["result"]) > 1e-6:
            raise ValueError(f"AP: got {against['rival']['result']} and {against['ours']['result']}, wanted the same")
        rate = rival_videos * FRAMES / against["rival"]["seconds"]
        found = {
            kind: _by_way(large / kind, small=small / kind, frames=videos * FRAMES, rounds=rounds) for kind in KINDS
        }
        return {f"posetrack{kind}": values for kind, values in found.items()} | {
            "rival": {"frames_per_second": round(rate)}
        }


def _by_way(folder: Path, *, small: Path, frames: int, rounds: int) -> dict[str, Any]:
    ways = [way for way in WAYS if way != "rival"]
    runs = [{way: measured(way, folder, small=small) for way in ways} for _ in range(rounds)]
    rates = {way: frames / statistics.median(found[way]["seconds"] for found in runs) for way in ways}
    return {
        "frames_per_second": {way: round(rate) for way, rate in rates.items()},
        "times_the_floor": round(rates["ours"] / rates["floor"], 2),
        "share_of_reading": round(rates["ours"] / rates["ours_reading"], 2),
        "peak_mb": max(found["ours"]["peak_mb"] for found in runs),
    }


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=100)
    parser.add_argument("--rival-videos", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--way", choices=WAYS, help="measure one way on --folder, in this process")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--small", type=Path, help="a folder of one video, for a first run")
    given = parser.parse_args()
    if given.way:
        print(json.dumps(run(given.way, given.folder, small=given.small)))
        return
    found = compare(videos=given.videos, rival_videos=given.rival_videos, rounds=given.rounds)
    sides = [found[f"posetrack{kind}"] for kind in KINDS]
    speed = min(side["frames_per_second"]["ours"] for side in sides)
    holds = speed >= LIMITS["frames_per_second"] and max(side["peak_mb"] for side in sides) <= LIMITS["peak_mb"]
    about = {"benchmark": "scoring", "videos": given.videos, "frames": given.videos * FRAMES, "people": 5}
    ratio = round(found["posetrack18"]["frames_per_second"]["ours"] / found["rival"]["frames_per_second"])
    print(json.dumps({**about, **found, "times_the_rival": ratio, "limits": LIMITS, "holds": holds}))


if __name__ == "__main__":
    main()
