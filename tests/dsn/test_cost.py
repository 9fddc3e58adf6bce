"""Costs counted without computing are those of the formulae."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from dsn.config import ModelConfig
from dsn.cost import PartCost, dual_cost, single_frame_cost
from dsn.network import build, build_single_frame
from dsn.parts import BackboneConfig
from dsn.skeleton import POSETRACK

VIT_B = BackboneConfig(name="vit_base_patch16_224", stride=16, width=768, drop_path=0.0)


@pytest.fixture
def large(config: ModelConfig) -> ModelConfig:
    """ViT-B at 256 x 192."""
    return replace(config, input_size=(256, 192), backbone=VIT_B)


def test_a_vit_b_at_256_x_192_has_85_8_million_parameters_and_17_1_billion_macs(large: ModelConfig) -> None:
    backbone = single_frame_cost(large, POSETRACK, is_frozen=False).parts["backbone"]

    assert backbone.parameters / 1e6 == pytest.approx(85.8, rel=0.01)
    assert backbone.macs / 1e9 == pytest.approx(17.1, rel=0.01)


def test_a_clip_costs_a_backbone_pass_a_frame_and_a_running_video_one(large: ModelConfig) -> None:
    cost = dual_cost(large, POSETRACK, is_frozen=False)

    assert cost.frames == 4
    assert cost.parts["backbone"].macs / 1e9 == pytest.approx(4 * 17.1, rel=0.01)
    assert cost.parts["backbone"].macs_per_frame / 1e9 == pytest.approx(17.1, rel=0.01)
    assert cost.parts["backbone"].tokens == 4 * 192
    assert cost.parts["encoder"].macs_per_frame == cost.parts["encoder"].macs
    single = single_frame_cost(large, POSETRACK, is_frozen=False)
    assert cost.parts["heads"].macs_per_frame == single.parts["heads"].macs
    assert cost.parts["heads"].macs == (3 + 1 + 2) * single.parts["heads"].macs  # dense, keypoint; visual and final


def test_parameters_are_those_of_the_network_and_a_frozen_backbone_is_not_trained(
    config: ModelConfig, backbone: BackboneConfig
) -> None:
    config = replace(config, backbone=backbone)
    network = build(config, POSETRACK)

    cost = dual_cost(config, POSETRACK, is_frozen=True)

    assert cost.total.parameters == _count(network)
    assert cost.total.trainable == _count(network) - _count(network.backbone)
    assert cost.parts["backbone"].trainable == 0
    assert cost.parts["encoder"].parameters == _count(network.get_submodule("encoder"))
    assert cost.total.macs == sum(part.macs for part in cost.parts.values())


def _count(network: nn.Module) -> int:
    return sum(value.numel() for value in network.parameters())


def test_the_heads_are_a_part_of_their_own_wherever_they_stand(config: ModelConfig) -> None:
    cost = dual_cost(config, POSETRACK, is_frozen=False)
    single = single_frame_cost(config, POSETRACK, is_frozen=False)

    assert list(single.parts) == ["backbone", "heads"]
    assert cost.parts["heads"].parameters % single.parts["heads"].parameters == 0
    deconvolution = 8 * 6 * 24 * 16 * 16  # cells, channels before and behind, 4 x 4 kernel
    readout = 16 * 12 * 16 * 17  # cells, channels, joints
    assert single.parts["heads"].macs == deconvolution + readout
    assert cost.parts["heads"].macs % single.parts["heads"].macs == 0


def test_the_memory_of_a_training_step_is_that_of_a_real_one(config: ModelConfig, backbone: BackboneConfig) -> None:
    config = replace(config, backbone=backbone)
    network = build_single_frame(config, POSETRACK)
    own = {value.untyped_storage().data_ptr() for value in network.state_dict().values()}
    kept: dict[int, torch.Tensor] = {}

    def keep(saved: torch.Tensor) -> torch.Tensor:
        kept[saved.untyped_storage().data_ptr()] = saved
        return saved

    with saved_tensors_hooks(keep, lambda saved: saved):
        network(torch.randn(1, 3, 64, 48))

    real = sum(saved.untyped_storage().nbytes() for place, saved in kept.items() if place not in own)
    assert single_frame_cost(config, POSETRACK, is_frozen=False).total.activations == pytest.approx(real, rel=0.02)


def test_a_frozen_backbone_keeps_nothing(config: ModelConfig) -> None:
    frozen = dual_cost(config, POSETRACK, is_frozen=True).parts["backbone"]
    trained = dual_cost(config, POSETRACK, is_frozen=False).parts["backbone"]

    assert trained.activations > 0
    assert frozen.activations == 0
    assert frozen.macs == trained.macs


def test_the_sum_of_parts_has_the_tokens_of_the_largest(config: ModelConfig) -> None:
    cost = dual_cost(config, POSETRACK, is_frozen=False)

    assert isinstance(cost.total, PartCost)
    assert cost.total.tokens == max(part.tokens for part in cost.parts.values())
    assert cost.parts["encoder"].tokens == 3 * 12
