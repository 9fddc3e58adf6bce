"""What must hold of every preset's network, whatever its weights; the numbers are those of docs/method.md's list."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dsn.codec import decode, encode, flip
from dsn.config import ModelConfig
from dsn.loss import TERMS, LossConfig, losses
from dsn.network import DSN, build
from dsn.readouts import Readouts
from dsn.sight import sight
from dsn.skeleton import POSETRACK
from tests.world.invariants import batch_gap, misplaced, order_gap, seen_by
from tests.world.networks import CONVOLUTIONAL, PRESETS, TRANSFORMER, configs

Clips = tuple[Tensor, Tensor]
Stir = Callable[[nn.Module], None]
MAPS = ("final", "visual", "temporal", "keypoint", "dense")
IN_TIME = {"final", "temporal", "keypoint"}
"""Readouts that take in frames together, and not each by itself or as a mean."""

pytestmark = pytest.mark.parametrize("preset", PRESETS)


@pytest.fixture
def clips() -> Clips:
    """Two clips of four supporting frames."""
    frames = torch.randn(2, 5, 3, 64, 48, generator=torch.Generator().manual_seed(3))
    return frames[:, 0], frames[:, 1:]


@pytest.fixture
def keypoints() -> Tensor:
    """Of the same clips."""
    return torch.rand(2, 17, 2, generator=torch.Generator().manual_seed(5)) * torch.tensor([47.0, 63.0])


def stirred(preset: str, stir: Stir, **changes: Any) -> DSN:
    network = build(configs(preset, **changes)[0], POSETRACK)
    stir(network)
    return network.eval()


def maps_of(readouts: Readouts) -> dict[str, Tensor]:
    return {name: getattr(readouts, name) for name in MAPS if getattr(readouts, name) is not None}


@pytest.mark.parametrize(
    ("backbone", "training"), [(CONVOLUTIONAL, True), (TRANSFORMER, False)], ids=["training", "evaluation"]
)
def test_1_a_readout_sees_the_frames_that_it_declares_and_no_others(
    preset: str, clips: Clips, stir: Stir, *, backbone: dict[str, Any], training: bool
) -> None:
    network = stirred(preset, stir, backbone=backbone).train(training)

    seen = seen_by(lambda *frames: maps_of(network(*frames)), *clips)

    assert seen == sight(configs(preset)[0])


def test_2_a_clip_is_read_the_same_alone_and_in_a_batch(preset: str, clips: Clips, stir: Stir) -> None:
    network = stirred(preset, stir)

    assert batch_gap(lambda *frames: maps_of(network(*frames)), *clips) == {}


def test_3_a_token_decides_on_its_own_place_of_the_heatmaps(preset: str) -> None:
    config, _ = configs(preset)
    torch.manual_seed(0)
    network, size = build(config, POSETRACK).eval(), config.grid_size(config.backbone.stride)
    tokens = torch.randn(1, size[0] * size[1], config.backbone.width, generator=torch.Generator().manual_seed(1))

    def read(shown: Tensor) -> dict[str, Tensor]:
        return maps_of(network.read(shown, supporting=shown[:, None].expand(-1, 4, -1, -1)))

    assert misplaced(read, tokens, size=size) == {}


def test_4_the_order_of_supporting_frames_matters_with_temporal_positions(
    preset: str, clips: Clips, stir: Stir
) -> None:
    network, declared = stirred(preset, stir), sight(configs(preset)[0])
    if network.encoder is not None:
        nn.init.normal_(network.encoder.time)

    gaps = order_gap(lambda *frames: maps_of(network(*frames)), *clips)

    watching = {name for name in IN_TIME & set(declared) if "supporting" in declared[name]}
    assert {name for name in watching if gaps[name] < 1e-3} == set()


def test_4_and_does_not_without(preset: str, clips: Clips, stir: Stir) -> None:
    network = stirred(preset, stir, encoder={"temporal_positions": "none"})

    gaps = order_gap(lambda *frames: maps_of(network(*frames)), *clips)

    assert {name: gap for name, gap in gaps.items() if name != "dense" and gap > 1e-4} == {}


def test_5_with_the_flip_test_a_mirrored_clip_has_mirrored_heatmaps(preset: str, clips: Clips, stir: Stir) -> None:
    network, pairs = stirred(preset, stir), POSETRACK.flip_pairs
    mirrored = (clips[0].flip(-1), clips[1].flip(-1))

    with torch.no_grad():
        straight, turned = network(*clips).final, network(*mirrored).final
    answer = (straight + flip(turned, flip_pairs=pairs)) / 2
    of_mirrored = (turned + flip(straight, flip_pairs=pairs)) / 2

    torch.testing.assert_close(of_mirrored[:, [0, 1, 2, 4, 3]], answer[:, [0, 1, 2, 3, 4]].flip(-1))


def test_6_a_keypoint_survives_its_heatmap_to_a_twentieth_of_a_cell(preset: str, keypoints: Tensor) -> None:
    config, _ = configs(preset)

    targets, _ = _targets(config, keypoints)
    found, _ = decode(targets, input_size=config.input_size, config=config.heatmap)

    assert (found - keypoints).abs().max() < 0.05 * config.heatmap.stride


def test_7_each_weighted_term_is_known_by_name_and_together_they_reach_every_weight(
    preset: str, clips: Clips, keypoints: Tensor, stir: Stir
) -> None:
    config, loss = configs(preset)
    network = stirred(preset, stir).train()

    terms = _terms(network, clips, keypoints, config=config, loss=loss)
    names, parameters = zip(*network.named_parameters(), strict=True)
    gradients = torch.autograd.grad(torch.stack(list(terms.values())).sum(), parameters, allow_unused=True)

    weights = {name: getattr(loss, name) for name in TERMS if name != "hard_joints"}
    assert set(terms) == {name for name, weight in weights.items() if weight > 0}
    assert [name for name, gradient in zip(names, gradients, strict=True) if gradient is None] == []


@pytest.mark.parametrize("shown", ["black", "keyframe"])
def test_8_frames_that_are_missing_leave_an_answer(preset: str, clips: Clips, stir: Stir, shown: str) -> None:
    network, (keyframe, supporting) = stirred(preset, stir), clips
    instead = torch.zeros_like(supporting) if shown == "black" else keyframe[:, None].expand_as(supporting)

    with torch.no_grad():
        readouts = maps_of(network(keyframe, instead))

    assert {name for name, maps in readouts.items() if not maps.isfinite().all()} == set()


@pytest.mark.slow
def test_one_batch_is_learned_by_heart(preset: str, clips: Clips, keypoints: Tensor) -> None:
    torch.manual_seed(0)
    config, loss = configs(preset)
    network = build(config, POSETRACK)
    stepper = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(250):
        stepper.zero_grad()
        torch.autograd.backward(list(_terms(network, clips, keypoints, config=config, loss=loss).values()))
        stepper.step()

    readouts = maps_of(network.eval()(*clips))

    trained = {"final"} | {name for name in ("visual", "keypoint", "temporal") if getattr(loss, name, 0) > 0}
    for name in trained:
        found, _ = decode(readouts[name], input_size=config.input_size, config=config.heatmap)
        assert (found - keypoints).norm(dim=-1).median() < config.heatmap.stride, name


def _targets(config: ModelConfig, keypoints: Tensor) -> tuple[Tensor, Tensor]:
    visible = torch.ones(keypoints.shape[:2], dtype=torch.bool)
    return encode(keypoints, visible, input_size=config.input_size, config=config.heatmap)


def _terms(
    network: DSN, clips: Clips, keypoints: Tensor, *, config: ModelConfig, loss: LossConfig
) -> dict[str, Tensor]:
    targets, supervised = _targets(config, keypoints)
    return losses(network(*clips), targets, supervised=supervised, config=loss)
