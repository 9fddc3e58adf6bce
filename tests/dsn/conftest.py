"""Small networks of both kinds, whose every branch is alive."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from dsn.config import ModelConfig
from dsn.parts import BackboneConfig
from tests.world.networks import CONVOLUTIONAL, TRANSFORMER, model_config


@pytest.fixture
def config() -> ModelConfig:
    """The default's switches, a convolutional backbone at stride 8, an encoder at 16, three supporting frames."""
    return model_config(clip={"offsets": [-2, -1, 1]})


@pytest.fixture(params=[CONVOLUTIONAL, TRANSFORMER], ids=["convolutional", "transformer"])
def backbone(request: pytest.FixtureRequest) -> BackboneConfig:
    """A backbone of each kind."""
    return model_config(backbone=request.param).backbone


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
