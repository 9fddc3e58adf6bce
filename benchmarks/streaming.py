"""Milliseconds a keyframe in a running video, against the single-frame network and against whole clips.

All have the same ViT-S at 256 x 192 and run in turns in one process on one core, one person at a time. The single-frame
network is the floor: it runs backbone and head on each frame. `clip` runs all five frames of every window through the
backbone, as published multi-frame methods do. `streaming` keeps tokens, with a crop that stays (`dsn.streaming`).
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.networks import BACKBONES, v3_2
from dsn.cost import dual_cost, single_frame_cost
from dsn.network import DSN, build, build_single_frame
from dsn.skeleton import POSETRACK
from dsn.streaming import Runner, supporting_frames

LIMIT = 1.4
"""Most that streaming may cost, in costs of the single-frame network."""
FRAMES = 16
"""Length of the video, which is read again and again."""


def main(backbone: str, *, keyframes: int) -> None:
    """Print one line of JSON."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = v3_2(backbone, checkpointing=False)
    network, single = build(config, POSETRACK).eval(), build_single_frame(config, POSETRACK).eval()
    video = torch.randn(FRAMES, 3, *config.input_size)
    offsets = config.clip.offsets
    runner = Runner[int, int](network, offsets=offsets, pixels=lambda frame, _: video[frame % FRAMES], only_final=True)
    ways: dict[str, Callable[[int], object]] = {
        "single_frame": lambda keyframe: single(video[keyframe % FRAMES][None]),
        "streaming": lambda keyframe: runner.read(keyframe, crops={0: 0}, first=0, last=10**9),
        "clip": partial(_read_clip, network, video, offsets=offsets),
    }
    taken = _milliseconds(ways, keyframes=keyframes)
    dual = dual_cost(config, POSETRACK, is_frozen=False).total
    floor = single_frame_cost(config, POSETRACK, is_frozen=False).total
    found = {
        "benchmark": "streaming",
        "backbone": backbone,
        "threads": torch.get_num_threads(),
        "keyframes": keyframes,
        **{f"{name}_ms": round(value, 2) for name, value in taken.items()},
        "times_single_frame": round(taken["streaming"] / taken["single_frame"], 3),
        "limit": LIMIT,
        "times_single_frame_in_macs": round(dual.macs_per_frame / floor.macs, 3),
        "clip_times_streaming": round(taken["clip"] / taken["streaming"], 2),
    }
    print(json.dumps(found))


def _read_clip(network: DSN, video: Tensor, keyframe: int, *, offsets: tuple[int, ...]) -> object:
    frames = supporting_frames(keyframe, offsets=offsets, first=0, last=10**9)
    supporting = torch.stack([video[frame % FRAMES] for frame in frames])
    return network(video[keyframe % FRAMES][None], supporting[None])


@torch.inference_mode()
def _milliseconds(ways: dict[str, Callable[[int], object]], *, keyframes: int) -> dict[str, float]:
    """Median time of each way; the ways take turns, so that whatever else the machine does falls on all alike."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for keyframe in range(len(ways), keyframes + 3 * len(ways)):
        for name, read in ways.items():
            start = time.process_time()
            read(keyframe)
            taken[name].append(1000 * (time.process_time() - start))
    return {name: statistics.median(values[2 * len(ways) :]) for name, values in taken.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", choices=BACKBONES, default="vit_small_patch16_224")
    parser.add_argument("--keyframes", type=int, default=30)
    given = parser.parse_args()
    main(given.backbone, keyframes=given.keyframes)
