"""Small networks of both kinds, whose every branch is alive."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from dsn.config import (
    BackboneConfig,
    ClipConfig,
    EncoderConfig,
    FusionConfig,
    HeadConfig,
    HeatmapConfig,
    ModelConfig,
    TemporalConfig,
    VisualConfig,
)

CONVOLUTIONAL = BackboneConfig(name="mobilenetv3_small_050", stride=8, width=24)
TRANSFORMER = BackboneConfig(name="test_vit", stride=16, width=32)


@pytest.fixture
def config() -> ModelConfig:
    """A convolutional backbone at stride 8, and an encoder at 16."""
    return ModelConfig(
        input_size=(64, 48),
        clip=ClipConfig(offsets=(-2, -1, 1)),
        heatmap=HeatmapConfig(stride=4, sigma=1.0, encoding="udp", decoding="newton"),
        backbone=CONVOLUTIONAL,
        encoder=EncoderConfig(
            stride=16,
            width=16,
            heads=2,
            mlp_ratio=2.0,
            joint_blocks=1,
            divided_blocks=1,
            temporal_positions="learnable",
        ),
        temporal=TemporalConfig(blocks=1, context_patch=16),
        visual=VisualConfig(heads=2, mlp_ratio=2.0),
        fusion=FusionConfig(mode="concat"),
        head=HeadConfig(width=16, norm="group"),
    )


@pytest.fixture(params=[CONVOLUTIONAL, TRANSFORMER], ids=["convolutional", "transformer"])
def backbone(request: pytest.FixtureRequest) -> BackboneConfig:
    """A backbone of each kind."""
    kind: BackboneConfig = request.param
    return kind


@pytest.fixture
def stir() -> Callable[[nn.Module], None]:
    """Shake every parameter and statistic, so that branches which start at zero speak too."""

    def stir(network: nn.Module) -> None:
        generator = torch.Generator().manual_seed(7)
        with torch.no_grad():
            for name, value in network.state_dict().items():
                if value.is_floating_point():
                    noise = 0.1 * torch.randn(value.shape, generator=generator)
                    value.add_(noise.abs() if name.endswith("running_var") else noise)

    return stir


@pytest.fixture
def clips() -> tuple[Tensor, Tensor]:
    """Two clips' normalised keyframes and supporting frames."""
    generator = torch.Generator().manual_seed(3)
    frames = torch.randn(2, 4, 3, 64, 48, generator=generator)
    return frames[:, 0], frames[:, 1:]
