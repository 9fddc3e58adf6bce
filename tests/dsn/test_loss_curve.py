"""A stored curve: the first steps of the default network, which a refactoring must not move."""

import pytest
import torch

from dsn.codec import encode
from dsn.loss import losses
from dsn.network import build
from dsn.skeleton import POSETRACK
from tests.world.networks import CONVOLUTIONAL, TRANSFORMER, configs

CURVES = {
    "mobilenetv3_small_050": [0.108480, 0.097890, 0.109514, 0.073872, 0.069767, 0.063279, 0.057907, 0.055107],
    "test_vit": [0.104521, 0.103057, 0.095607, 0.071822, 0.069097, 0.060393, 0.053936, 0.051769],
}
"""Loss before each of eight steps. The numbers are those of the first network of this project, drawn from seed 0."""
PARAMETERS = {"mobilenetv3_small_050": 331_115, "test_vit": 374_435}


@pytest.mark.parametrize("backbone", [CONVOLUTIONAL, TRANSFORMER], ids=lambda backbone: backbone["name"])
def test_v3_2_has_its_parameters_and_learns_as_it_always_did(backbone: dict[str, str]) -> None:
    config, loss = configs("v3_2", backbone=backbone, clip={"offsets": [-2, -1, 1]})
    torch.manual_seed(0)
    network = build(config, POSETRACK)
    frames = torch.randn(2, 4, 3, 64, 48, generator=torch.Generator().manual_seed(3))
    keypoints = torch.rand(2, 17, 2, generator=torch.Generator().manual_seed(5)) * torch.tensor([47.0, 63.0])
    visible = torch.ones(2, 17, dtype=torch.bool)
    targets, supervised = encode(keypoints, visible, input_size=config.input_size, config=config.heatmap)
    stepper = torch.optim.AdamW(network.parameters(), lr=3e-3)
    curve = []
    for _ in range(8):
        terms = losses(network(frames[:, 0], frames[:, 1:]), targets, supervised=supervised, config=loss)
        total = torch.stack(list(terms.values())).sum()
        stepper.zero_grad()
        torch.autograd.backward(total)
        stepper.step()
        curve.append(total.item())

    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[backbone["name"]]
    assert curve == pytest.approx(CURVES[backbone["name"]], rel=1e-3)
