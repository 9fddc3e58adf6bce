"""Streaming reads what the clip path reads, for one backbone pass a frame."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dsn.config import ModelConfig
from dsn.network import DSN, build
from dsn.parts import BackboneConfig, ClipConfig
from dsn.readouts import Readouts
from dsn.skeleton import POSETRACK
from dsn.streaming import Runner, look_ahead, supporting_frames
from pipeline.shards.video import frames_used
from tests.world.networks import PRESETS, model_config

FRAMES = 9
Pixels = Callable[[int, int], Tensor]


@pytest.fixture
def pixels() -> Pixels:
    """A video of noise, which shows other pixels in every crop."""
    video = torch.randn(FRAMES, 3, 70, 48, generator=torch.Generator().manual_seed(1))
    return lambda frame, crop: video[frame, :, crop : crop + 64]


@pytest.fixture
def network(config: ModelConfig, backbone: BackboneConfig, stir: Callable[[nn.Module], None]) -> DSN:
    """A network whose every branch speaks, with a backbone of each kind."""
    network = build(replace(config, backbone=backbone), POSETRACK)
    stir(network)
    return network.eval()


def clip(network: DSN, pixels: Pixels, *, keyframe: int, supporting: tuple[int, ...], crop: int) -> Readouts:
    frames = torch.stack([pixels(frame, crop) for frame in supporting])[None]
    with torch.inference_mode():
        readouts: Readouts = network(pixels(keyframe, crop)[None], frames)
    return readouts


def assert_same(found: Readouts, expected: Readouts, *, row: int = 0) -> None:
    for name in ("final", "temporal", "visual", "keypoint", "dense"):
        torch.testing.assert_close(getattr(found, name)[row], getattr(expected, name)[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("offsets", [(-2, -1, 1), (-3, -2, -1)], ids=["look-ahead", "causal"])
def test_streamed_readouts_are_those_of_the_clips(
    config: ModelConfig, stir: Callable[[nn.Module], None], pixels: Pixels, offsets: tuple[int, ...]
) -> None:
    network = build(replace(config, clip=ClipConfig(offsets=offsets)), POSETRACK)
    stir(network)
    runner: Runner[str, int] = Runner(network, offsets=offsets, pixels=pixels, only_final=False)

    for keyframe in range(FRAMES):
        last = min(keyframe + look_ahead(offsets), FRAMES - 1)
        supporting = supporting_frames(keyframe, offsets=offsets, first=0, last=last)
        found = runner.read(keyframe, crops={"a": 3}, first=0, last=last)
        assert_same(found, clip(network, pixels, keyframe=keyframe, supporting=supporting, crop=3))

    assert runner.encoded == FRAMES


def test_a_frame_goes_through_the_backbone_once_while_the_crop_stays(network: DSN, pixels: Pixels) -> None:
    runner: Runner[str, int] = Runner(network, offsets=(-2, -1, 1), pixels=pixels, only_final=False)

    passes = []
    for keyframe, crop in [(2, 0), (3, 0), (4, 0), (5, 6), (6, 6), (7, 6)]:
        before = runner.encoded
        found = runner.read(keyframe, crops={"a": crop}, first=0, last=FRAMES - 1)
        passes.append(runner.encoded - before)
        supporting = (keyframe - 2, keyframe - 1, keyframe + 1)
        assert_same(found, clip(network, pixels, keyframe=keyframe, supporting=supporting, crop=crop))

    assert passes == [4, 1, 1, 4, 1, 1]


def test_people_come_and_go_and_each_gets_an_answer_of_their_own(network: DSN, pixels: Pixels) -> None:
    runner: Runner[str, int] = Runner(network, offsets=(-2, -1, 1), pixels=pixels, only_final=False)
    seen = [{"a": 0}, {"a": 0, "b": 5}, {"b": 5}, {"b": 5, "a": 0}]

    passes = []
    for keyframe, crops in enumerate(seen, start=3):
        before = runner.encoded
        found = runner.read(keyframe, crops=crops, first=0, last=FRAMES - 1)
        passes.append(runner.encoded - before)
        for row, crop in enumerate(crops.values()):
            supporting = (keyframe - 2, keyframe - 1, keyframe + 1)
            expected = clip(network, pixels, keyframe=keyframe, supporting=supporting, crop=crop)
            assert_same(found, expected, row=row)

    assert passes == [4, 1 + 4, 1, 1 + 4]


@pytest.mark.parametrize("preset", PRESETS)
def test_the_final_heatmaps_by_themselves_are_those_among_all_readouts(
    preset: str, stir: Callable[[nn.Module], None], pixels: Pixels
) -> None:
    config = model_config(preset)
    network = build(config, POSETRACK)
    stir(network)
    whole, lean = (
        Runner[str, int](network, offsets=config.clip.offsets, pixels=pixels, only_final=only) for only in (False, True)
    )

    expected = whole.read(4, crops={"a": 1, "b": 2}, first=0, last=FRAMES - 1)
    found = lean.read(4, crops={"a": 1, "b": 2}, first=0, last=FRAMES - 1)

    torch.testing.assert_close(found.final, expected.final, atol=1e-5, rtol=1e-5)
    assert found.visual is None


def test_only_the_frames_of_the_next_window_are_kept(network: DSN, pixels: Pixels) -> None:
    runner: Runner[str, int] = Runner(network, offsets=(-2, -1, 1), pixels=pixels, only_final=False)

    for keyframe in range(6):
        runner.read(keyframe, crops={"a": 0}, first=0, last=FRAMES - 1)

    assert sorted(runner._tokens["a"]) == [3, 4, 5, 6]


def test_a_causal_window_waits_for_nothing_and_others_for_their_last_frame() -> None:
    assert look_ahead((-4, -2)) == 0
    assert look_ahead((-2, -1, 1, 3)) == 3


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_the_supporting_frames_are_those_that_clips_are_cut_with(length: int) -> None:
    offsets = (-3, -1, 1, 2)

    for keyframe in range(length):
        found = supporting_frames(keyframe, offsets=offsets, first=0, last=length - 1)
        assert found == frames_used(np.arange(length), frame=keyframe, clip=offsets)
