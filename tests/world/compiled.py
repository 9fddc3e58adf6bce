"""Compile small networks' training step and inference as one graph each.

`python -m tests.world.compiled BACKEND PRESET ...`. It runs by itself, where no test's import hook wraps
the functions to be compiled.
"""

import sys

import torch
from torch import Tensor

from dsn.codec import encode
from dsn.loss import losses
from dsn.network import build
from dsn.skeleton import POSETRACK
from tests.world.networks import TRANSFORMER, configs


def main(backend: str, *presets: str) -> None:
    """Print the name of each preset that compiles, and raise at the first that does not."""
    for preset in presets:
        torch.compiler.reset()
        compile_both(preset, backend)
        sys.stdout.write(f"{preset}\n")


def compile_both(preset: str, backend: str) -> None:
    """Raise where a graph breaks, or where compiled code answers or learns otherwise."""
    config, loss = configs(preset, backbone=TRANSFORMER)
    torch.manual_seed(0)
    network = build(config, POSETRACK)
    frames, keypoints = torch.randn(2, 5, 3, 64, 48), torch.rand(2, 17, 2) * torch.tensor([47.0, 63.0])
    visible = torch.ones(2, 17, dtype=torch.bool)
    targets, supervised = encode(keypoints, visible, input_size=config.input_size, config=config.heatmap)

    def total(frames: Tensor, targets: Tensor, supervised: Tensor) -> Tensor:
        readouts = network(frames[:, 0], frames[:, 1:])
        return torch.stack(list(losses(readouts, targets, supervised=supervised, config=loss).values())).sum()

    def learned(step: object) -> tuple[Tensor, ...]:
        torch.manual_seed(1)  # what is hidden is drawn anew in every step
        return torch.autograd.grad(step(frames, targets, supervised), list(network.parameters()))  # type: ignore[operator]

    pairs = zip(learned(torch.compile(total, fullgraph=True, backend=backend)), learned(total), strict=True)
    for compiled, plain in pairs:
        torch.testing.assert_close(compiled, plain, atol=1e-5, rtol=1e-3)
    network.eval()
    with torch.no_grad():
        answer = torch.compile(network, fullgraph=True, backend=backend)(frames[:, 0], frames[:, 1:])
        torch.testing.assert_close(answer.final, network(frames[:, 0], frames[:, 1:]).final, atol=1e-5, rtol=1e-3)


if __name__ == "__main__":
    main(*sys.argv[1:])
