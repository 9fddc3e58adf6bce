"""Poses a second of the default network on the CPU, in onnxruntime and in PyTorch, as `predict` runs both.

Either engine encodes a batch of crops and answers a batch of windows, as often as a person who stands needs it: once
each. Both have the same threads and take turns; the network of params.yaml has random weights.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from time import perf_counter

import torch

from dsn.checkpoint import Loaded
from dsn.config import ModelConfig
from dsn.network import build
from dsn.skeleton import POSETRACK
from pipeline import params
from pipeline.inference.engine import Engine, OnnxEngine, TorchEngine


def main(*, batch: int, rounds: int) -> None:
    """Print one line of JSON."""
    torch.manual_seed(0)
    config = params.load(Path("params.yaml"), "model", into=ModelConfig)
    loaded = Loaded(network=build(config, POSETRACK).eval(), config=config, skeleton=POSETRACK)
    begin = perf_counter()
    engines: Mapping[str, Engine] = {"onnx": OnnxEngine(loaded), "torch": TorchEngine(loaded, device="cpu")}
    start = perf_counter() - begin
    pixels = torch.randn(batch, 3, *config.input_size)
    took: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(rounds + 1):
        for name, engine in engines.items():
            seconds = timed(engine, pixels)
            took[name] += [seconds] if number else []  # the first round warms up
    rates = {name: batch / median(seconds) for name, seconds in took.items()}
    told = {
        "benchmark": "engines",
        "threads": torch.get_num_threads(),
        "batch": batch,
        "rounds": rounds,
        "onnx_poses_per_s": round(rates["onnx"], 1),
        "rival_torch_poses_per_s": round(rates["torch"], 1),
        "times_rival": round(rates["onnx"] / rates["torch"], 2),
        "export_s": round(start, 1),
    }
    print(json.dumps(told))


def timed(engine: Engine, pixels: torch.Tensor) -> float:
    """Seconds of one pass through both halves."""
    begin = perf_counter()
    tokens = engine.encode(pixels)
    engine.answer(tokens, tokens[:, None].expand(-1, len(engine.offsets), -1, -1))
    return perf_counter() - begin


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    main(batch=given.batch, rounds=given.rounds)
