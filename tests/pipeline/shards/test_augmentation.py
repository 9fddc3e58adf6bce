from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from dsn.skeleton import POSETRACK
from pipeline.shards.augment import AugmentConfig, View, cover, draw_tint, draw_view, flip_order, generator, tint
from pipeline.shards.crop import inverse, region, scale_of, transform, upright
from pipeline.shards.sample import ClipSample

SIZE = (32, 24)
ONLY_THE_MIDDLE = [False, False, True, False, False]
MakeSample = Callable[..., ClipSample]
MakeAugment = Callable[..., AugmentConfig]


def view_of(sample: ClipSample, config: AugmentConfig, *, seed: int = 0, epoch: int = 0) -> View:
    rng = generator(seed, epoch=epoch, key=sample.key)
    return draw_view(sample, config, rng, skeleton=POSETRACK, input_size=SIZE)


def views(sample: ClipSample, config: AugmentConfig, count: int = 200) -> list[View]:
    return [view_of(sample, config, epoch=epoch) for epoch in range(count)]


def own_crop(sample: ClipSample) -> NDArray[np.float64]:
    return upright(region(sample.bbox, size=SIZE), size=SIZE)


def grey_clip() -> NDArray[np.uint8]:
    return np.full((5, 32, 24, 3), 90, dtype=np.uint8)


def test_without_augmentation_the_view_is_the_evaluations(make_sample: MakeSample, make_augment: MakeAugment) -> None:
    view = view_of(make_sample(), make_augment())

    assert not view.is_flipped
    assert view.to_source == pytest.approx(own_crop(make_sample()))


def test_the_view_follows_from_seed_epoch_and_key_alone(make_sample: MakeSample, make_augment: MakeAugment) -> None:
    config = make_augment(rotation=45.0, rotation_probability=1.0, scale=0.35, shift=0.1, flip=0.5)

    def drawn(frame: int, seed: int, epoch: int) -> tuple[float, ...]:
        return tuple(view_of(make_sample(frame=frame), config, seed=seed, epoch=epoch).to_source.ravel())

    assert drawn(2, 0, 0) == drawn(2, 0, 0)
    assert len({drawn(2, 0, 0), drawn(3, 0, 0), drawn(2, 1, 0), drawn(2, 0, 1)}) == 4


def test_half_of_the_views_are_mirrored_at_one_half(make_sample: MakeSample, make_augment: MakeAugment) -> None:
    flips = [view.is_flipped for view in views(make_sample(), make_augment(flip=0.5), count=400)]

    assert 160 < sum(flips) < 240


def test_rotation_scale_and_shift_stay_within_their_bounds(make_sample: MakeSample, make_augment: MakeAugment) -> None:
    sample = make_sample()
    config = make_augment(rotation=45.0, rotation_probability=0.6, scale=0.35, shift=0.1)
    spacing = region(sample.bbox, size=SIZE).spacing

    drawn = views(sample, config)

    degrees = np.array([np.degrees(np.arctan2(view.to_source[1, 0], view.to_source[0, 0])) for view in drawn])
    scales = np.array([scale_of(view.to_source) / spacing for view in drawn])
    centers = np.array([transform(np.array([11.5, 15.5]), view.to_source) for view in drawn])
    shares = (centers - (120, 230)) / (spacing * 23, spacing * 31)
    assert 40 < np.abs(degrees).max() <= 45
    assert 0.5 < (np.abs(degrees) > 1e-6).mean() < 0.7
    assert 0.65 <= scales.min() < 0.7
    assert 1.3 < scales.max() <= 1.35
    assert 0.09 < np.abs(shares).max() <= 0.1


def test_half_body_views_close_in_on_the_upper_or_the_lower_joints(
    make_sample: MakeSample, make_augment: MakeAugment
) -> None:
    sample = make_sample()
    points = np.array(sample.keypoints)[:, :2]

    drawn = views(sample, make_augment(half_body=1.0), count=40)

    insides = []
    for view in drawn:
        there = transform(points, inverse(view.to_source))
        insides.append(frozenset(np.flatnonzero(((there >= 0) & (there <= (23, 31))).all(axis=1)).tolist()))
    upper, lower = (set(half) & set(POSETRACK.scored) for half in (POSETRACK.upper_body, POSETRACK.lower_body))
    assert len(set(insides)) == 2
    assert all(upper <= inside or lower <= inside for inside in insides)
    assert max(scale_of(view.to_source) for view in drawn) < scale_of(own_crop(sample))


def test_half_body_needs_more_than_eight_joints(make_sample: MakeSample, make_augment: MakeAugment) -> None:
    few = tuple((100.0 + joint, 200.0, float(joint < 8)) for joint in range(17))

    view = view_of(make_sample(keypoints=few), make_augment(half_body=1.0))

    assert view.to_source == pytest.approx(own_crop(make_sample()))


def test_mirroring_swaps_left_and_right_but_not_neck_and_crown() -> None:
    order = flip_order(POSETRACK)

    assert [POSETRACK.joints[order[joint]] for joint in (0, 1, 2, 5, 6)] == [
        "nose", "head_bottom", "head_top", "right_shoulder", "left_shoulder",
    ]  # fmt: skip
    assert [order[channel] for channel in order] == list(range(17))


def test_an_occluder_covers_the_same_place_of_all_frames(make_augment: MakeAugment) -> None:
    for seed in range(20):
        frames = grey_clip()
        cover(
            frames,
            make_augment(occluder=1.0),
            np.random.default_rng(seed),
            is_keyframe=ONLY_THE_MIDDLE,
        )

        changed = (frames != 90).any(axis=3)
        assert 0 < changed[0].mean() <= 0.25
        assert all(np.array_equal(frame, frames[0]) for frame in frames)


def test_keyframe_dropout_spoils_the_keyframe_in_four_ways_and_nothing_else(make_augment: MakeAugment) -> None:
    ramp = np.broadcast_to(np.arange(24, dtype=np.uint8)[:, None] * 10, (5, 32, 24, 3))
    kinds = set()
    for seed in range(60):
        frames = ramp.copy()
        cover(frames, make_augment(keyframe_dropout=1.0), np.random.default_rng(seed), is_keyframe=ONLY_THE_MIDDLE)

        assert np.array_equal(frames[[0, 1, 3, 4]], ramp[[0, 1, 3, 4]])
        changed = (frames[2] != ramp[2]).any(axis=2)
        if not frames[2].any():
            kinds.add("black")
        elif frames[2].std() > 60 and len(np.unique(frames[2])) > 200:
            kinds.add("noise")
        elif (frames[2] == frames[2][0]).all():
            kinds.add("blurred")
        else:
            kinds.add("covered")
            assert changed.mean() > 0.15
    assert kinds == {"black", "noise", "blurred", "covered"}


def test_repeats_of_the_keyframe_at_a_border_are_spoilt_with_it(make_augment: MakeAugment) -> None:
    frames = grey_clip()
    is_keyframe = [True, True, True, False, False]

    cover(frames, make_augment(keyframe_dropout=1.0), np.random.default_rng(3), is_keyframe=is_keyframe)

    assert np.array_equal(frames[0], frames[2])
    assert np.array_equal(frames[1], frames[2])
    assert (frames[3:] == 90).all()


def test_dropout_comes_as_often_as_asked(make_augment: MakeAugment) -> None:
    config, spoilt = make_augment(keyframe_dropout=0.25), 0
    for epoch in range(400):
        frames = grey_clip()
        cover(frames, config, generator(0, epoch=epoch, key="k"), is_keyframe=ONLY_THE_MIDDLE)
        spoilt += int((frames[2] != 90).any())

    assert 70 < spoilt < 130


@pytest.mark.parametrize(
    ("name", "value"), [("flip", 1.1), ("rotation", -1.0), ("scale", 1.0), ("shift", -0.1), ("keyframe_dropout", 2.0)]
)
def test_impossible_augmentation_is_refused(name: str, value: float, make_augment: MakeAugment) -> None:
    with pytest.raises(ValueError, match=f"{name}: got {value}"):
        make_augment(**{name: value})


def test_colors_vary_by_channel(make_augment: MakeAugment) -> None:
    frame = np.full((4, 4, 3), 128, dtype=np.uint8)
    frame[0, 0] = 0

    drawn = draw_tint(make_augment(color=0.4), np.random.default_rng(0))
    assert drawn is not None
    tint(frame, drawn)

    gains, shifts = np.random.default_rng(0).uniform(-0.4, 0.4, (2, 3))
    levels = np.array([[128], [0]]) / 255 - 0.5
    wanted = np.clip(np.rint(255 * (levels * (1 + gains) + 0.5 + shifts / 2)), 0, 255)
    assert frame[1, 1].tolist() == wanted[0].tolist()
    assert frame[0, 0].tolist() == wanted[1].tolist()
    assert len(set(frame[1, 1].tolist())) == 3


def test_colors_can_be_left_as_they_are(make_augment: MakeAugment) -> None:
    assert draw_tint(make_augment(color=0.0), np.random.default_rng(0)) is None
