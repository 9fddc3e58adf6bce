from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from dsn.config import ModelConfig
from dsn.network import build, build_single_frame, start_from
from dsn.parts import BackboneConfig, FusionConfig
from dsn.skeleton import POSETRACK

Clips = tuple[Tensor, Tensor]


def test_each_readout_has_its_shape(config: ModelConfig, backbone: BackboneConfig, clips: Clips) -> None:
    readouts = build(replace(config, backbone=backbone), POSETRACK)(*clips)

    maps = (2, 17, 16, 12)
    assert readouts.final.shape == readouts.keypoint.shape == readouts.temporal.shape == readouts.visual.shape == maps
    assert readouts.dense.shape == (2, 3, 17, 16, 12)
    assert readouts.reconstruction.guess.shape == readouts.reconstruction.truth.shape == (2, 12, 768)
    assert (readouts.gate, readouts.masked) == (None, None)


def test_the_keyframe_is_reconstructed_in_training_alone(config: ModelConfig, clips: Clips) -> None:
    network = build(config, POSETRACK)

    assert network.train()(*clips).reconstruction is not None
    assert network.eval()(*clips).reconstruction is None


def test_context_tokens_are_not_read_by_the_others(
    config: ModelConfig, clips: Clips, stir: Callable[[nn.Module], None]
) -> None:
    network = build(config, POSETRACK)
    stir(network)
    before = network(*clips)

    with torch.no_grad():
        network.get_parameter("temporal.context_tokens").add_(1)
    after = network(*clips)

    assert torch.equal(after.final, before.final)
    assert torch.equal(after.keypoint, before.keypoint)
    assert not torch.allclose(after.reconstruction.guess, before.reconstruction.guess)


def test_the_temporal_answer_is_the_mean_of_its_two_readouts(
    config: ModelConfig, clips: Clips, stir: Callable[[nn.Module], None]
) -> None:
    network = build(config, POSETRACK)
    stir(network)

    readouts = network(*clips)

    dense = (readouts.dense[:, 0] + readouts.dense[:, 1] + readouts.dense[:, 2]) / 3
    torch.testing.assert_close(readouts.temporal, (readouts.keypoint + dense) / 2)


def test_mean_fusion_averages_the_streams(config: ModelConfig, clips: Clips, stir: Callable[[nn.Module], None]) -> None:
    network = build(replace(config, fusion=FusionConfig(mode="mean")), POSETRACK)
    stir(network)

    readouts = network(*clips)

    torch.testing.assert_close(readouts.final, (readouts.temporal + readouts.visual) / 2)
    assert not any(name.startswith("fusion") for name in network.state_dict())


def test_one_memory_serves_several_keyframes(
    config: ModelConfig, clips: Clips, stir: Callable[[nn.Module], None]
) -> None:
    network = build(config, POSETRACK).eval()
    stir(network)
    keyframe, supporting = clips
    other = torch.zeros_like(keyframe)

    memory = network.remember(network.backbone(supporting.flatten(0, 1)).reshape(2, 3, 48, -1))

    for shown in (keyframe, other):
        split = network.answer(network.backbone(shown), memory=memory)
        whole = network(shown, supporting)
        assert split.temporal is not None
        assert whole.temporal is not None
        torch.testing.assert_close(split.final, whole.final, atol=1e-5, rtol=0)
        torch.testing.assert_close(split.temporal, whole.temporal, atol=1e-5, rtol=0)


def test_one_supporting_frame_is_enough(config: ModelConfig, clips: Clips) -> None:
    causal = replace(config, clip=replace(config.clip, offsets=(-1,)))

    assert build(causal, POSETRACK)(clips[0], clips[1][:, :1]).dense.shape == (2, 1, 17, 16, 12)


def test_after_a_start_the_final_readout_is_the_single_frame_networks(
    config: ModelConfig, backbone: BackboneConfig, clips: Clips, stir: Callable[[nn.Module], None]
) -> None:
    config = replace(config, backbone=backbone)
    single_frame, network = build_single_frame(config, POSETRACK), build(config, POSETRACK)
    stir(single_frame)

    start_from(network, single_frame)

    expected = single_frame.eval()(clips[0]).final
    readouts = network.eval()(*clips)
    assert expected.std() > 0.01
    torch.testing.assert_close(readouts.final, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(readouts.visual, expected, atol=1e-5, rtol=0)


def test_after_a_start_the_dense_readouts_are_poses_of_the_supporting_frames(
    config: ModelConfig, clips: Clips, stir: Callable[[nn.Module], None]
) -> None:
    single_frame, network = build_single_frame(config, POSETRACK), build(config, POSETRACK)
    stir(single_frame)

    start_from(network, single_frame)

    expected = single_frame.eval()(clips[1][:, 2]).final
    torch.testing.assert_close(network.eval()(*clips).dense[:, 2], expected, atol=1e-5, rtol=0)


def test_a_start_says_what_it_copied_and_what_is_new(config: ModelConfig) -> None:
    single_frame, network = build_single_frame(config, POSETRACK), build(config, POSETRACK)

    start = start_from(network, single_frame)

    assert sorted(start.copied + start.missing) == sorted(network.state_dict())
    assert {name.split(".")[0] for name in start.missing} == {"encoder", "temporal", "visual", "fusion"}
    assert {name.split(".")[1] for name in start.copied if name.startswith("heads.")} == {"final", "dense", "keypoint"}
    assert set(single_frame.backbone.state_dict()) == {
        name.removeprefix("backbone.") for name in start.copied if name.startswith("backbone.")
    }


def test_a_start_from_another_backbone_is_refused_and_changes_nothing(config: ModelConfig) -> None:
    other = replace(config, backbone=replace(config.backbone, width=32))
    single_frame, network = build_single_frame(other, POSETRACK), build(config, POSETRACK)
    before = {name: value.clone() for name, value in network.state_dict().items()}

    with pytest.raises(ValueError, match=r"got other names or shapes for \['backbone.norm.bias'"):
        start_from(network, single_frame)

    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
