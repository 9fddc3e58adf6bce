"""What must hold of every dual-stream network, whatever its weights: the numbers of docs/method.md's list."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from dsn.config import BackboneConfig, ModelConfig
from dsn.network import DSN, build
from dsn.readouts import Readouts
from dsn.skeleton import POSETRACK

Clips = tuple[Tensor, Tensor]


Positions = Literal["learnable", "sincos", "none"]


def _with_positions(config: ModelConfig, positions: Positions) -> ModelConfig:
    return replace(config, encoder=replace(config.encoder, temporal_positions=positions))


def _maps(readouts: Readouts) -> dict[str, Tensor]:
    names = ("final", "keypoint", "dense", "temporal", "visual")
    return {name: getattr(readouts, name) for name in names}


@pytest.fixture
def network(config: ModelConfig, backbone: BackboneConfig, stir: Callable[[nn.Module], None]) -> DSN:
    network = build(replace(config, backbone=backbone), POSETRACK)
    stir(network)
    return network.eval()


@pytest.mark.parametrize("training", [False, True])
def test_1_another_keyframe_leaves_the_temporal_stream_bit_identical(
    network: DSN, clips: Clips, *, training: bool
) -> None:
    keyframe, supporting = clips
    network.train(training)

    one, other = _maps(network(keyframe, supporting)), _maps(network(keyframe.flip(0) * 3, supporting))

    for name in ("keypoint", "dense", "temporal"):
        assert torch.equal(one[name], other[name]), name
    for name in ("visual", "final"):
        assert not torch.allclose(one[name], other[name]), name


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", ["keypoint", "dense", "temporal"])
def test_1_the_temporal_stream_has_no_gradient_to_the_keyframe(
    network: DSN, clips: Clips, name: str, *, training: bool
) -> None:
    keyframe, supporting = (frames.clone().requires_grad_() for frames in clips)
    network.train(training)

    heatmaps = _maps(network(keyframe, supporting))[name]
    to_keyframe, to_supporting = torch.autograd.grad(heatmaps.square().sum(), (keyframe, supporting))

    assert torch.equal(to_keyframe, torch.zeros_like(keyframe))
    assert to_supporting.abs().sum() > 0


def test_1_the_final_readout_sees_keyframe_and_supporting_frames(network: DSN, clips: Clips) -> None:
    keyframe, supporting = (frames.clone().requires_grad_() for frames in clips)

    final = network(keyframe, supporting).final
    to_keyframe, to_supporting = torch.autograd.grad(final.square().sum(), (keyframe, supporting))

    assert (to_keyframe.abs().sum(dim=(1, 2, 3)) > 0).all()
    assert (to_supporting.abs().sum(dim=(2, 3, 4)) > 0).all()


def test_2_a_clip_is_read_the_same_alone_and_in_a_batch(network: DSN, clips: Clips) -> None:
    keyframe, supporting = clips

    together = _maps(network(keyframe, supporting))
    alone = _maps(network(keyframe[1:], supporting[1:]))

    for name, heatmaps in alone.items():
        torch.testing.assert_close(heatmaps, together[name][1:], atol=1e-5, rtol=1e-5)


def test_2_a_clip_has_no_gradient_to_another(network: DSN, clips: Clips) -> None:
    keyframe, supporting = (frames.clone().requires_grad_() for frames in clips)

    first = network.train()(keyframe, supporting).final[0]
    gradients = torch.autograd.grad(first.square().sum(), (keyframe, supporting))

    assert all(gradient[0].abs().sum() > 0 and gradient[1].abs().sum() == 0 for gradient in gradients)


@pytest.mark.parametrize("positions", ["learnable", "sincos"])
def test_4_with_temporal_positions_the_order_of_supporting_frames_matters(
    config: ModelConfig, clips: Clips, stir: Callable[[nn.Module], None], positions: Positions
) -> None:
    network = build(_with_positions(config, positions), POSETRACK)
    stir(network)
    nn.init.normal_(network.encoder.time)
    keyframe, supporting = clips

    ordered, shuffled = _maps(network.eval()(keyframe, supporting)), _maps(network(keyframe, supporting[:, [2, 0, 1]]))

    for name in ("final", "keypoint", "temporal"):
        assert (ordered[name] - shuffled[name]).abs().max() > 1e-3 * ordered[name].std(), name


def test_4_without_temporal_positions_it_does_not(
    config: ModelConfig, clips: Clips, stir: Callable[[nn.Module], None]
) -> None:
    network = build(_with_positions(config, "none"), POSETRACK)
    stir(network)
    keyframe, supporting = clips

    ordered, shuffled = _maps(network.eval()(keyframe, supporting)), _maps(network(keyframe, supporting[:, [2, 0, 1]]))

    torch.testing.assert_close(shuffled.pop("dense"), ordered["dense"][:, [2, 0, 1]], atol=1e-5, rtol=1e-5)
    for name, heatmaps in shuffled.items():
        torch.testing.assert_close(heatmaps, ordered[name], atol=1e-5, rtol=1e-5)
