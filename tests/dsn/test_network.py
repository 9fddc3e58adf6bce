from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from dsn.codec import decode, encode
from dsn.config import BackboneConfig, FusionConfig, ModelConfig
from dsn.loss import LossConfig, losses
from dsn.network import DSN, build, build_single_frame, start_from
from dsn.readouts import Readouts
from dsn.skeleton import POSETRACK

Clips = tuple[Tensor, Tensor]
V3_2 = LossConfig(final=1.0, keypoint=1.0, dense=1.0, visual=0.0, reconstruction=1e-4)


def test_each_readout_has_its_shape(config: ModelConfig, backbone: BackboneConfig, clips: Clips) -> None:
    readouts = build(replace(config, backbone=backbone), POSETRACK)(*clips)

    shapes = {name: tuple(getattr(readouts, name).shape) for name in Readouts.__slots__}
    maps = (2, 17, 16, 12)
    assert shapes == {
        "final": maps,
        "keypoint": maps,
        "dense": (2, 3, 17, 16, 12),
        "temporal": maps,
        "visual": maps,
        "reconstruction": (2, 12, 768),
    }


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

    network.temporal.context_tokens.data += 1
    after = network(*clips)

    assert torch.equal(after.final, before.final)
    assert torch.equal(after.keypoint, before.keypoint)
    assert not torch.allclose(after.reconstruction, before.reconstruction)


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
    assert "final_head.kernels.weight" in start.copied
    assert "temporal.dense_head.kernels.weight" in start.copied
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


def _total(network: DSN, clips: Clips, *, keypoints: Tensor, config: ModelConfig) -> Tensor:
    visible = torch.ones(keypoints.shape[:2], dtype=torch.bool)
    targets, supervised = encode(keypoints, visible, input_size=config.input_size, config=config.heatmap)
    terms = losses(network(*clips), targets, supervised=supervised, keyframe=clips[0], config=V3_2)
    return torch.stack(list(terms.values())).sum()


def _keypoints() -> Tensor:
    return torch.rand(2, 17, 2, generator=torch.Generator().manual_seed(5)) * torch.tensor([47.0, 63.0])


def test_every_parameter_takes_part_in_the_loss(
    config: ModelConfig, backbone: BackboneConfig, clips: Clips, stir: Callable[[nn.Module], None]
) -> None:
    config = replace(config, backbone=backbone)
    network = build(config, POSETRACK)
    stir(network)

    total = _total(network, clips, keypoints=_keypoints(), config=config)
    gradients = torch.autograd.grad(total, list(network.parameters()), allow_unused=True)

    names = [name for name, _ in network.named_parameters()]
    assert [name for name, gradient in zip(names, gradients, strict=True) if gradient is None] == []


def test_one_batch_is_learned_by_heart(config: ModelConfig, backbone: BackboneConfig, clips: Clips) -> None:
    torch.manual_seed(0)
    config, keypoints = replace(config, backbone=backbone), _keypoints()
    network = build(config, POSETRACK)
    parameters = list(network.parameters())
    stepper = torch.optim.AdamW(parameters, lr=3e-3)
    for _ in range(80):
        total = _total(network, clips, keypoints=keypoints, config=config)
        for parameter, gradient in zip(parameters, torch.autograd.grad(total, parameters), strict=True):
            parameter.grad = gradient
        stepper.step()

    readouts = network.eval()(*clips)
    for name in ("final", "temporal"):
        found, _ = decode(getattr(readouts, name), input_size=config.input_size, config=config.heatmap)
        assert (found - keypoints).norm(dim=-1).median() < config.heatmap.stride, name
