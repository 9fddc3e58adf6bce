"""Samples a second of a training loop in one thread, by the number of batches that another thread reads ahead.

The loop is the least that takes a batch in: pixels to floats, a small convolution forwards and backwards, an optimiser
step. It helps where a second core has time; so wall time is measured, on a machine that does nothing else.
"""

import argparse
import json
import logging
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from benchmarks.reading import BATCH, draw
from benchmarks.reading_settings import SIZE, reader_config, recipe_of
from pipeline.posetrack.index import read_index
from pipeline.shards.pack import pack_splits
from pipeline.shards.reader import ReaderConfig, training_batches

AHEAD = (0, 1, 2, 4)


def network() -> nn.Module:
    """About as much work a clip as reading it is."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 7, 4, 3), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 8, 1)
    )


def samples_per_second(shards: Path, config: ReaderConfig) -> float:
    """One epoch of the loop."""
    trained = network()
    stepper = torch.optim.SGD(trained.parameters(), 1e-3)
    batches = training_batches(shards, config, input_size=SIZE, batch_size=BATCH, seed=0, epoch=0, rank=0, world=1)
    samples, began = 0, time.perf_counter()
    for batch in batches:
        loss = trained(batch.frames.flatten(0, 1).float().div_(255)).square().mean()
        stepper.zero_grad()
        loss.backward()
        stepper.step()
        samples += len(batch.keys)
    return samples / (time.perf_counter() - began)


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=6, help="for training, in the dataset that is drawn")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    found: dict[int, list[float]] = {ahead: [] for ahead in AHEAD}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "drawn")
        draw(root, videos=given.videos)
        config = reader_config("drawn", workers=0, prefetch=0)
        pack_splits(read_index(root / "index"), root, root / "shards", recipe_of(config.augment), run=map)
        for turn in range(given.rounds + 1):
            for ahead in AHEAD:
                speed = samples_per_second(root / "shards" / "train", replace(config, prefetch=ahead))
                found[ahead] += [speed] if turn else []  # the first turn warms up
    speeds = {str(ahead): round(statistics.median(values), 1) for ahead, values in found.items()}
    cores = len(os.sched_getaffinity(0))
    print(json.dumps({"benchmark": "prefetching", "cores": cores, "samples_per_s_by_batches_ahead": speeds}))


if __name__ == "__main__":
    main()
