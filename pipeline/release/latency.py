"""How long a clip takes, one network against another."""

import time

from dsn.checkpoint import Loaded
from pipeline.evaluation.efficiency import noise_clip
from pipeline.evaluation.predict import read

PASSES = 12
"""Timed passes of each; the fastest counts, for what disturbs a pass only ever makes it slower."""


def slowdown(first: Loaded, second: Loaded) -> float:
    """By what factor a clip takes longer in `first` than in `second`: the two are timed by turns, one clip a pass."""
    clips = [noise_clip(first), noise_clip(second)]
    seconds: list[list[float]] = [[], []]
    for _ in range(1 + PASSES):
        for network, clip, taken in zip((first, second), clips, seconds, strict=True):
            began = time.perf_counter()
            read(network.network, clip, model=network.config)
            taken.append(time.perf_counter() - began)
    fastest = [min(taken[1:]) for taken in seconds]  # the first pass makes what later ones find ready
    return fastest[0] / fastest[1]
