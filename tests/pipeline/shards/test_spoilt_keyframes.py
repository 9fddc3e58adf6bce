"""Degradation of keyframes as augmentation."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pipeline.shards.augment import AugmentConfig, cover, generator
from pipeline.shards.batch import ClipBatch
from pipeline.shards.reader import ReaderConfig, training_batches
from pipeline.shards.spoil import KINDS, Kind, degraded, disc, streak

MakeAugment = Callable[..., AugmentConfig]
MIDDLE = [False, False, True, False, False]


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """One white pixel in the middle of grey."""
    image = np.full((64, 48, 3), 100, dtype=np.uint8)
    image[32, 24] = 255
    return image


def many(picture: NDArray[np.uint8], kind: Kind) -> list[NDArray[np.uint8]]:
    return [degraded(picture, kind, np.random.default_rng(seed)) for seed in range(40)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_random_numbers_degrade_alike_and_others_otherwise(kind: Kind, picture: NDArray[np.uint8]) -> None:
    drawn = many(picture, kind)

    assert all(np.array_equal(one, two) for one, two in zip(drawn, many(picture, kind), strict=True))
    assert {image.shape for image in drawn} == {picture.shape}
    assert {image.dtype for image in drawn} == {picture.dtype}
    assert (len({image.tobytes() for image in drawn}) == 1) is (kind == "black")
    assert picture[32, 24].tolist() == [255, 255, 255]


def test_black_is_black(picture: NDArray[np.uint8]) -> None:
    assert not degraded(picture, "black", np.random.default_rng(0)).any()


@pytest.mark.parametrize("kind", ["motion_blur", "defocus"])
def test_blurs_spread_a_point_and_keep_its_light(kind: Kind, picture: NDArray[np.uint8]) -> None:
    for image in many(picture, kind):
        light = image[:, :, 0].astype(int) - 100
        assert light.min() >= 0
        assert light[32, 24] == light.max()
    peaks = [int(image[32, 24, 0]) for image in many(picture, kind)]
    assert min(peaks) < 115
    assert max(peaks) > 130


def test_noise_comes_in_degrees_without_a_bias(picture: NDArray[np.uint8]) -> None:
    deviations = [image[:20].std() for image in many(picture, "noise")]

    assert min(deviations) < 8
    assert 50 < max(deviations) < 80
    assert np.mean([image[:20].mean() for image in many(picture, "noise")]) == pytest.approx(100, abs=1.5)


def test_occluders_cover_from_little_to_nearly_all(picture: NDArray[np.uint8]) -> None:
    covered = [(image != picture).any(axis=2).mean() for image in many(picture, "occluder")]

    assert min(covered) < 0.05
    assert 0.5 < max(covered) <= 0.82


def test_a_streak_is_as_long_as_it_says_and_lies_as_it_says() -> None:
    level, upright = streak(9.0, angle=0.0), streak(9.0, angle=np.pi / 2)

    assert level.shape == (11, 11)
    assert level.sum() == pytest.approx(1)
    assert (level[5] > 0).sum() == 9
    assert level[[0, 1, 2, 3, 4, 6, 7, 8, 9, 10]].sum() == pytest.approx(0, abs=1e-6)
    assert np.allclose(upright, level.T, atol=1e-6)
    assert streak(0.0, angle=1.0).tolist() == [[1.0]]


def test_a_disc_is_round_and_as_wide_as_it_says() -> None:
    weights = disc(3.0)

    assert weights.shape == (7, 7)
    assert weights.sum() == pytest.approx(1)
    assert np.allclose(weights, np.rot90(weights))
    assert weights[0, 0] == 0
    assert (weights[3] > 0).all()
    assert disc(0.0).tolist() == [[1.0]]


def test_only_the_keyframe_is_degraded_and_as_often_as_asked(make_augment: MakeAugment) -> None:
    config, spoilt = make_augment(keyframe_degradation=0.25, keyframe_kinds=("black",)), 0
    for epoch in range(400):
        frames = np.full((5, 32, 24, 3), 90, dtype=np.uint8)
        cover(frames, config, generator(0, epoch=epoch, key="k"), is_keyframe=MIDDLE)
        assert (frames[[0, 1, 3, 4]] == 90).all()
        assert (frames[2] == frames[2, 0, 0, 0]).all()
        spoilt += int(frames[2, 0, 0, 0] == 0)

    assert 70 < spoilt < 130


def test_a_keyframe_is_said_to_be_spoilt_where_it_is(make_augment: MakeAugment) -> None:
    """Under the patch that lies over all frames alike it is not: there the supporting frames tell of it."""
    for probabilities in ({"keyframe_dropout": 0.5}, {"keyframe_degradation": 0.5, "keyframe_kinds": ("black",)}):
        config = make_augment(occluder=0.5, **probabilities)
        for seed in range(40):
            frames = np.full((5, 32, 24, 3), 90, dtype=np.uint8)
            frames[:, :, ::2] = 200  # so that blur shows
            is_spoilt = cover(frames, config, np.random.default_rng(seed), is_keyframe=MIDDLE)
            assert is_spoilt is not np.array_equal(frames[2], frames[1])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_says_whose_keyframe_is_spoilt(
    packed: Path, make_reader: Callable[..., ReaderConfig], workers: int
) -> None:
    def read(**augment: Any) -> Iterator[ClipBatch]:
        config = make_reader(workers=workers, prefetch=1, **augment)
        arguments: dict[str, Any] = {"batch_size": 7, "seed": 1, "epoch": 2, "rank": 0, "world": 1}
        return training_batches(packed / "train", config, input_size=(32, 24), **arguments)

    told = []
    for drawn, clean in zip(read(keyframe_degradation=0.5, keyframe_kinds=("black",)), read(), strict=True):
        assert drawn.keys == clean.keys
        assert torch.equal(drawn.is_spoilt, (drawn.frames != clean.frames).flatten(1).any(dim=1))
        assert not clean.is_spoilt.any()
        told += drawn.is_spoilt.tolist()
    assert 7 < sum(told) < 21


def test_no_degradation_leaves_all_other_draws_as_they_were(make_augment: MakeAugment) -> None:
    for seed in range(30):
        drawn = []
        for degradation in (0.0, 1.0):
            frames = np.full((5, 32, 24, 3), 90, dtype=np.uint8)
            config = make_augment(occluder=0.5, keyframe_dropout=0.5, keyframe_degradation=degradation)
            cover(frames, config, np.random.default_rng(seed), is_keyframe=MIDDLE)
            drawn.append(frames)
        assert np.array_equal(drawn[0][[0, 1, 3, 4]], drawn[1][[0, 1, 3, 4]])


@pytest.mark.parametrize("kinds", [(), ("black", "black")])
def test_kinds_are_some_and_none_twice(kinds: tuple[str, ...], make_augment: MakeAugment) -> None:
    with pytest.raises(ValueError, match=r"keyframe_kinds: got .*, wanted at least one and none twice"):
        make_augment(keyframe_kinds=kinds)


def test_the_keyframe_alone_is_degraded_as_in_its_clip(packed: Path, make_reader: Callable[..., ReaderConfig]) -> None:
    config = make_reader(keyframe_degradation=1.0, rotation=40.0, rotation_probability=0.5, color=0.1)

    def read(**how: Any) -> Iterator[ClipBatch]:
        arguments: dict[str, Any] = {"batch_size": 7, "seed": 1, "epoch": 2, "rank": 0, "world": 1}
        return training_batches(packed / "train", config, input_size=(32, 24), **arguments, **how)

    for clips, alone in zip(read(), read(keyframe_only=True), strict=True):
        assert torch.equal(alone.frames[:, 0], clips.frames[:, 2])
