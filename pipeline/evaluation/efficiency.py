"""What a network costs, to stand beside what it is worth."""

import time
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from dsn.checkpoint import Loaded
from dsn.cost import dual_cost, single_frame_cost
from dsn.network import SingleFrame
from pipeline.evaluation.predict import read

PASSES = 12
"""Timed passes; the fastest counts, for what disturbs a pass only ever makes it slower."""


def efficiency(model: Loaded) -> dict[str, Any]:
    """Parameters, multiply-adds, and clips a second, as JSON has it.

    `macs_per_clip` are those of a whole clip by itself, `macs_per_frame` those of a frame of a running video, in which
    the backbone sees every frame once. `clips_per_second` is of the network alone, one clip a pass, on the device and
    with the threads named.
    """
    cost = single_frame_cost if isinstance(model.network, SingleFrame) else dual_cost
    total = cost(model.config, model.skeleton, is_frozen=False).total
    return {
        "parameters": total.parameters,
        "macs_per_clip": total.macs,
        "macs_per_frame": total.macs_per_frame,
        "clips_per_second": 1 / clip_seconds(model),
        "device": next(model.network.parameters()).device.type,
        "threads": torch.get_num_threads(),
    }


def clip_seconds(model: Loaded) -> float:
    """How long one clip takes in the network, without reading it."""
    clip, taken = noise_clip(model), []
    model.network.eval()
    for _ in range(1 + PASSES):
        began = time.perf_counter()
        read(model.network, clip, model=model.config).final.cpu()
        taken.append(time.perf_counter() - began)
    return min(taken[1:])  # the first pass makes what later ones find ready


def noise_clip(model: Loaded) -> UInt8[Tensor, "1 T 3 H W"]:
    """A clip of noise, always the same, of the shape that a network reads."""
    frames = 1 + len(model.config.clip.offsets)
    shape = (1, frames, 3, *model.config.input_size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
