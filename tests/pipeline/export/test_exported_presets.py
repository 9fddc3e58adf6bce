"""Every preset's network can be exported, many in both formats, and one that cannot be traced is refused."""

from pathlib import Path

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from dsn.checkpoint import Loaded
from dsn.network import build
from dsn.skeleton import POSETRACK
from pipeline.export.formats import FORMATS
from pipeline.export.graphs import Graph, traced, whole
from pipeline.export.parity import compare
from pipeline.refusal import Refusal
from tests.world.networks import PRESETS, TRANSFORMER, model_config

IN_ONNX = {"causal", "dsn", "first_version", "gated", "mean_fusion", "single_frame", "single_stream", "v3_2"}
"""Converted to ONNX as well, which takes most of the time: the line of the method, and other ways to fuse."""


class Patches(nn.Module):
    """A backbone of one layer: what presets differ in lies behind it, and it is traced in no time."""

    def __init__(self, *, width: int, stride: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, width, stride, stride)

    def forward(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B N C"]:
        tokens: Tensor = self.layer(pixels).flatten(2).mT
        return tokens


def small_network(preset: str) -> Loaded:
    """Random weights, every branch of which speaks."""
    torch.manual_seed(0)
    config = model_config(preset, backbone=TRANSFORMER)
    network = build(config, POSETRACK)
    network.backbone = Patches(width=config.backbone.width, stride=config.backbone.stride)  # type: ignore[assignment]
    with torch.no_grad():
        for value in network.parameters():
            value.add_(0.05 * torch.randn_like(value))
    return Loaded(network=network.eval(), config=config, skeleton=POSETRACK)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_presets_network_answers_as_pytorch_does(preset: str, tmp_path: Path) -> None:
    loaded = small_network(preset)
    generator = torch.Generator().manual_seed(1)
    clips = torch.randint(256, (3, 5, 3, *loaded.config.input_size), dtype=torch.uint8, generator=generator)
    graph = traced(whole(loaded), name=preset)

    gaps = {}
    for kind, writing in FORMATS.items():
        if kind == "onnx" and preset not in IN_ONNX:
            continue
        writing.write(graph, tmp_path / f"{preset}{writing.suffix}", {})
        gaps[kind] = compare(writing.open(tmp_path / f"{preset}{writing.suffix}"), loaded, clips)

    assert len(gaps) == (2 if preset in IN_ONNX else 1)
    assert max(gap.heatmaps.max for gap in gaps.values()) < 1e-5
    assert max(gap.keypoints_px.max for gap in gaps.values()) < 0.01


class ByNumber(nn.Module):
    """Computes as if there were always two clips."""

    def forward(self, pixels: Float[Tensor, "B N"]) -> Float[Tensor, "2 M"]:
        return pixels.reshape(2, -1)


def test_a_network_that_cannot_be_traced_is_refused_by_name_in_one_line() -> None:
    graph = Graph(module=ByNumber(), inputs={"pixels": torch.zeros(2, 3)}, output="heatmaps")

    with pytest.raises(Refusal, match=r"^dsn\.onnx: got a network that torch\.export cannot trace, .*batch") as refused:
        traced(graph, name="dsn.onnx")

    assert "\n" not in str(refused.value)
