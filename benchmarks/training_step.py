"""Time and memory of a training step of `v3_2` on clips of five frames, against a roofline and a plain step.

The roofline is the step's multiply-adds, counted forward and backward, over the rate of the best of a few matrix
products of the same run and precision. `model_flops_utilization` is the share of the device's datasheet rate, where it
is known; what activation checkpointing computes twice counts once. Each way runs in a process of its own:

- `ours`: attention without its N x N matrix, every activation kept;
- `checkpointed`: most activations computed anew in the backward pass;
- `plain`: attention as a product of matrices that are kept, every activation kept: the rival.

It needs `dsn/`, `pipeline/training/`, `pipeline/refusal.py`, `pipeline/__init__.py` and `benchmarks/`, and of packages
torch and timm.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, UInt8
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.networks import BACKBONES, v3_2
from dsn.config import ModelConfig
from dsn.loss import LossConfig
from dsn.network import build
from dsn.skeleton import POSETRACK
from pipeline.training.config import TrainConfig
from pipeline.training.optimizer import optimizer, schedule
from pipeline.training.step import arithmetic, batch_losses

WAYS = ("ours", "checkpointed", "plain")
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
"""Datasheet rates of dense bf16 products, in FLOPs a second, by a part of the device's name."""
UTILIZATION = 0.45
"""Share of it that is asked for."""
LOSS = LossConfig(final=1.0, keypoint=1.0, dense=1.0, visual=0.0, reconstruction=1e-4, masked=0.0, hard_joints=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """A batch of random pixels and keypoints."""

    frames: UInt8[Tensor, "B T 3 H W"]
    keypoints: Float[Tensor, "B K 2"]
    visible: Bool[Tensor, "B K"]
    is_spoilt: Bool[Tensor, " B"]


def main(given: argparse.Namespace) -> None:
    """Print one line of JSON."""
    found = {way: _in_own_process(way) for way in WAYS}
    ours, rate = found["ours"], found["ours"]["matmul_tflops"]
    peak = next((peak for name, peak in PEAKS.items() if name in ours["device"]), None)
    is_comparable = peak is not None and given.precision == "bf16"
    flops = ours["step_tflop"]
    told = {
        "benchmark": "training_step",
        **{name: getattr(given, name) for name in ("backbone", "clips", "precision", "compile")},
        "device": ours["device"],
        "torch": torch.__version__,
        "step_tflop": flops,
        "matmul_tflops": rate,
        "roofline_ms": round(1000 * flops / rate, 1),
        **{f"{way}_ms": row["step_ms"] for way, row in found.items()},
        **{f"{way}_memory_mib": row["memory_mib"] for way, row in found.items()},
        "share_of_roofline": round(1000 * flops / rate / ours["step_ms"], 3),
        "model_flops_utilization": round(1e15 * flops / ours["step_ms"] / peak, 3) if is_comparable and peak else None,
        "wanted_utilization": UTILIZATION,
        "memory_of_plain": round(ours["memory_mib"] / found["plain"]["memory_mib"], 3),
        "memory_of_plain_checkpointed": round(found["checkpointed"]["memory_mib"] / found["plain"]["memory_mib"], 3),
    }
    print(json.dumps(told))


def _in_own_process(way: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.training_step", *sys.argv[1:], "--way", way]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    row: dict[str, Any] = json.loads(output.splitlines()[-1])
    return row


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Time and memory of one way's steps."""
    device = torch.device(given.device)
    torch.manual_seed(0)
    if given.threads:
        torch.set_num_threads(given.threads)
    config = v3_2(given.backbone, checkpointing=given.way == "checkpointed")
    network = build(config, POSETRACK).to(device)
    batch = _noise(config, clips=given.clips, device=device)
    step = _step(network, batch, config=config, precision=given.precision, is_compiled=given.compile)
    with sdpa_kernel(SDPBackend.MATH) if given.way == "plain" else nullcontext():
        seconds, memory = _timed(step, device=device, steps=given.steps)
        flops = _flops(network, batch, config=config, precision=given.precision) if given.way == "ours" else 0
    rate = _matmul_rate(device, precision=given.precision) if given.way == "ours" else 0
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "step_tflop": round(flops / 1e12, 4),
        "matmul_tflops": round(rate / 1e12, 4),
        "step_ms": round(1000 * seconds, 1),
        "memory_mib": round(memory / 2**20),
    }


def _noise(config: ModelConfig, *, clips: int, device: torch.device) -> Noise:
    height, width = config.input_size
    joints, frames = len(POSETRACK.joints), 1 + len(config.clip.offsets)
    return Noise(
        frames=torch.randint(256, (clips, frames, 3, height, width), dtype=torch.uint8, device=device),
        keypoints=torch.rand(clips, joints, 2, device=device)
        * torch.tensor([width - 1.0, height - 1.0], device=device),
        visible=torch.ones(clips, joints, dtype=torch.bool, device=device),
        is_spoilt=torch.zeros(clips, dtype=torch.bool, device=device),
    )


def _step(
    network: nn.Module, batch: Noise, *, config: ModelConfig, precision: str, is_compiled: bool
) -> Callable[[], object]:
    """One whole optimiser step, as the training loop takes it."""
    recipe = _recipe()
    stepper = optimizer(network, recipe)
    rates, average = schedule(stepper, recipe), ModelEmaV3(network, decay=recipe.ema_decay)
    forward: Any = torch.compile(network) if is_compiled else network

    def step() -> object:
        with arithmetic(precision, batch.frames.device):
            terms = batch_losses(forward, batch, model=config, loss=LOSS)
        stepper.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(terms.values())).sum())
        norm = nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm)
        stepper.step()
        rates.step()
        average.update(network)
        return norm

    return step


def _recipe() -> TrainConfig:
    return TrainConfig(
        seed=0,
        steps=1000,
        batch_size=1,
        micro_batch=None,
        learning_rate=1e-4,
        backbone_rate=0.1,
        layer_decay=1.0,
        weight_decay=0.05,
        warmup_steps=0,
        decay="none",
        decay_at=(),
        decay_factor=1.0,
        clip_norm=1.0,
        ema_decay=0.999,
        precision="fp32",
        deterministic=False,
        compile=False,
        max_skipped_share=0.0,
        gradient_shares=False,
        log_every=1,
        evaluate_every=1,
        checkpoint_every=1,
    )


def _flops(network: nn.Module, batch: Noise, *, config: ModelConfig, precision: str) -> int:
    """Of matrix products, convolutions and attention, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        with arithmetic(precision, batch.frames.device):
            terms = batch_losses(network, batch, model=config, loss=LOSS)
        torch.autograd.backward(torch.stack(list(terms.values())).sum())
    network.zero_grad(set_to_none=True)
    total: int = counter.get_total_flops()
    return total


def _timed(step: Callable[[], object], *, device: torch.device, steps: int) -> tuple[float, float]:
    """Median seconds of a step, and the most bytes that a step holds beside what was there before the first.

    On a CPU these are the pages that the process was given, which an allocator may give out more than once (Linux).
    """
    before = _bytes_held(device)
    taken = []
    for _ in range(2 + steps):
        start = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[2:]), _most_bytes_held(device) - before


def _bytes_held(device: torch.device) -> int:
    """What is held now; the most that is held counts anew from here."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def _most_bytes_held(device: torch.device) -> int:
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else _status("VmHWM")


def _status(name: str) -> int:
    """A line of the kernel's account of this process, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _matmul_rate(device: torch.device, *, precision: str) -> float:
    """FLOPs a second of the best of a few square products, each long enough to hide its launch."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    sides = (4096, 8192, 16384) if device.type == "cuda" else (512, 1024, 2048)
    return max(_rate(side, device=device, dtype=dtype) for side in sides)


def _rate(side: int, *, device: torch.device, dtype: torch.dtype) -> float:
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    best = 0.0
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(4):
            left @ right
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = max(best, 4 * 2 * side**3 / (time.perf_counter() - start))
    return best


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", choices=BACKBONES, default="vit_base_patch16_224")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--clips", type=int, default=1)
    parser.add_argument("--steps", type=int, default=5, help="timed, after two that are not")
    parser.add_argument("--threads", type=int, default=0, help="of a CPU; 0 leaves the choice to torch")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--way", choices=WAYS)
    return parser.parse_args()


if __name__ == "__main__":
    arguments = _arguments()
    if arguments.way is None:
        main(arguments)
    else:
        print(json.dumps(measure(arguments)))
