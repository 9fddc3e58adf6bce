from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from dsn.config import ModelConfig
from dsn.gate import Gate
from dsn.network import build
from dsn.parts import FusionConfig, InteractionConfig
from dsn.skeleton import POSETRACK
from tests.world.networks import model_config

Clips = tuple[Tensor, Tensor]
Stir = Callable[[nn.Module], None]


def test_a_gate_takes_each_joint_from_one_stream_or_the_other(config: ModelConfig, clips: Clips, stir: Stir) -> None:
    network = build(replace(config, fusion=FusionConfig(mode="gated")), POSETRACK).eval()
    stir(network)
    bias = network.get_parameter("fusion.gate.bias")
    with torch.no_grad():
        bias.fill_(-50.0)[3] = 50.0
        readouts = network(*clips)

    assert readouts.gate[0].round().tolist() == [float(joint == 3) for joint in range(17)]
    torch.testing.assert_close(readouts.final[:, 3], readouts.temporal[:, 3])
    assert (readouts.final[:, 4] - readouts.temporal[:, 4]).abs().max() > 1e-3


def test_training_starts_from_the_fused_reading(config: ModelConfig, clips: Clips) -> None:
    torch.manual_seed(0)
    gated = build(replace(config, fusion=FusionConfig(mode="gated")), POSETRACK).eval()
    readouts = gated(*clips)

    torch.testing.assert_close(readouts.gate, torch.full((2, 17), 0.0474), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        readouts.final, torch.lerp(readouts.visual, readouts.temporal, 0.0474), atol=1e-5, rtol=0
    )


def test_a_gate_can_learn_which_stream_sees_the_joint() -> None:
    torch.manual_seed(0)
    gate = Gate(8, joints=2, grid_size=(4, 3))
    features = torch.randn(64, 12, 16)
    maps = torch.zeros(64, 2, 2, 8, 6)
    seen = torch.rand(64, 2) < 0.5  # the temporal stream has a peak, or the other one has
    maps[:, 0, :, 2, 2], maps[:, 1, :, 5, 4] = seen.float(), (~seen).float()
    stepper = torch.optim.AdamW(gate.parameters(), lr=1e-2)
    for _ in range(60):
        stepper.zero_grad()
        torch.autograd.backward(nn.functional.binary_cross_entropy(gate(features, maps=maps), seen.float()))
        stepper.step()

    assert ((gate(features, maps=maps) > 0.5) == seen).float().mean() > 0.98


def test_no_gradient_of_the_gate_reaches_the_heatmaps() -> None:
    gate = Gate(8, joints=2, grid_size=(4, 3))
    nn.init.normal_(gate.joints)
    maps, features = torch.rand(1, 2, 2, 8, 6, requires_grad=True), torch.randn(1, 12, 16, requires_grad=True)

    share = gate(features, maps=maps).sum()

    to_maps, to_features = torch.autograd.grad(share, (maps, features), materialize_grads=True)

    assert to_maps.abs().max() == 0
    assert to_features.abs().max() > 0


@pytest.mark.parametrize("mode", ["to_visual", "to_temporal", "mutual"])
def test_an_interaction_changes_the_answer_and_not_what_the_streams_read_before(
    config: ModelConfig, clips: Clips, stir: Stir, mode: Literal["to_visual", "to_temporal", "mutual"]
) -> None:
    network = build(replace(config, interaction=InteractionConfig(mode=mode)), POSETRACK).eval()
    stir(network)

    after = network(*clips)
    network.interaction = build(config, POSETRACK).interaction
    before = network(*clips)

    assert not torch.allclose(after.final, before.final)
    for name in ("visual", "temporal", "keypoint", "dense"):
        assert torch.equal(getattr(after, name), getattr(before, name)), name


def test_the_first_version_reads_from_the_temporal_features(clips: Clips) -> None:
    network = build(model_config("first_version", clip={"offsets": [-2, -1, 1]}), POSETRACK).eval()

    readouts = network(*clips)  # attention ends in zeros, so who is read shows

    watched = network.remember(_tokens(network, clips[1])).watched
    assert watched is not None
    assert watched.features is not None
    torch.testing.assert_close(readouts.final, network.heads.read("final", watched.features.mean))


def _tokens(network: nn.Module, supporting: Tensor) -> Tensor:
    tokens: Tensor = network.get_submodule("backbone")(supporting.flatten(0, 1))
    return tokens.reshape(*supporting.shape[:2], *tokens.shape[1:])


def test_keypoint_queries_read_the_keyframe_with_refined_kernels(clips: Clips, stir: Stir) -> None:
    network = build(model_config("dynamic_to_static", clip={"offsets": [-2, -1, 1]}), POSETRACK).eval()

    untold = network(*clips)
    stir(network)
    told = network(*clips)

    torch.testing.assert_close(untold.final, untold.visual)
    assert not torch.allclose(told.final, told.visual)


@pytest.mark.parametrize(
    ("sharing", "heads"),
    [
        ("none", {"dense", "keypoint", "visual", "final"}),
        ("visual", {"dense", "keypoint", "final"}),
        ("all", {"final"}),
    ],
)
def test_readouts_share_the_heads_that_they_are_told_to(
    config: ModelConfig, clips: Clips, sharing: Literal["none", "visual", "all"], heads: set[str]
) -> None:
    network = build(replace(config, head=replace(config.head, sharing=sharing)), POSETRACK)

    assert set(network.heads) == heads
    assert network(*clips).final.shape == (2, 17, 16, 12)
