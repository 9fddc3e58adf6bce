import importlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.evaluation.degrade import TARGETS, Degradation, Target, gather_donors, is_all_or_nothing
from pipeline.evaluation.degrade import degraded as degraded_clips
from pipeline.evaluation.kinds import KINDS, Donors, Kind, disc, shutter_weights
from pipeline.refusal import Refusal
from pipeline.shards.batch import ClipBatch

CLIP = (-2, -1, 0, 1, 2)


@pytest.fixture
def batch() -> ClipBatch:
    made: ClipBatch = importlib.import_module("tests.world.clips").batch()
    return made


DONORS = Donors(
    frames=torch.arange(4, dtype=torch.uint8)[:, None, None, None].expand(4, 3, 64, 48), videos=tuple("abcd")
)


def clips_of(batch: ClipBatch, kind: Kind, severity: int, *, seed: int = 0, target: Target = "keyframe") -> Tensor:
    how = Degradation(kind=kind, severity=severity, seed=seed, target=target)
    return degraded_clips(batch, how, clip=CLIP, donors=DONORS)


def degraded(batch: ClipBatch, kind: Kind, severity: int, *, seed: int = 0) -> Tensor:
    return clips_of(batch, kind, severity, seed=seed)[:, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_severity_0_leaves_the_keyframe_as_it_is(batch: ClipBatch, kind: Kind) -> None:
    assert torch.equal(degraded(batch, kind, 0), batch.frames[:, 2])


@pytest.mark.parametrize("kind", KINDS)
def test_a_degradation_changes_the_keyframe_and_nothing_else(batch: ClipBatch, kind: Kind) -> None:
    before = batch.frames.clone()

    after = degraded(batch, kind, 3)

    assert not torch.equal(after, before[:, 2])
    assert torch.equal(batch.frames, before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_is_degraded_alike_alone_and_in_a_batch(batch: ClipBatch, kind: Kind) -> None:
    alone = ClipBatch(
        keys=batch.keys[1:],
        frames=batch.frames[1:],
        keypoints=batch.keypoints[1:],
        visible=batch.visible[1:],
        to_source=batch.to_source[1:],
        head_size=batch.head_size[1:],
        bbox_size=batch.bbox_size[1:],
        is_spoilt=batch.is_spoilt[1:],
        samples=batch.samples[1:],
    )

    assert torch.equal(degraded(alone, kind, 4)[0], degraded(batch, kind, 4)[1])


@pytest.mark.parametrize("kind", ["occluder", "noise", "box", "person", "darkness", "foreign"])
def test_another_seed_draws_other_pixels(batch: ClipBatch, kind: Kind) -> None:
    drawn = [degraded(batch, kind, 3, seed=seed) for seed in range(4)]

    assert any(not torch.equal(drawn[0], other) for other in drawn[1:])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not is_all_or_nothing(kind) and kind != "box"])
def test_a_higher_severity_changes_more(batch: ClipBatch, kind: Kind) -> None:
    changes = [
        (degraded(batch, kind, severity).float() - batch.frames[:, 2].float()).abs().mean() for severity in range(6)
    ]

    assert changes == sorted(changes)
    assert changes[0] < changes[1] < changes[5]


def test_a_black_frame_holds_nothing_at_any_severity(batch: ClipBatch) -> None:
    assert not degraded(batch, "black", 1).any()


def test_the_worst_motion_blur_is_the_mean_of_the_clip(batch: ClipBatch) -> None:
    wanted = batch.frames.float().mean(dim=1).round()

    assert (degraded(batch, "motion_blur", 5).float() - wanted).abs().max() <= 1


def test_a_shutter_gathers_what_it_is_open_for() -> None:
    assert shutter_weights(CLIP, severity=0, position=2).tolist() == [0, 0, 1, 0, 0]
    # Open from -1.3 to 1.3: the keyframe's own time, and 0.8 of each neighbour's.
    np.testing.assert_allclose(shutter_weights(CLIP, severity=2, position=2), np.array([0, 0.8, 1, 0.8, 0]) / 2.6)
    np.testing.assert_allclose(shutter_weights((-2, -1, 0), severity=5, position=2), [1 / 3] * 3)


def test_a_disc_weighs_1_and_grows_with_its_radius() -> None:
    assert torch.isclose(disc(2.5).sum(), torch.tensor(1.0))
    assert disc(0.4).shape == (3, 3)
    assert (disc(2.0)[2] > 0).sum() == 5


def test_the_occluder_covers_its_share_around_a_labelled_joint(batch: ClipBatch) -> None:
    covered = (degraded(batch, "occluder", 3) != batch.frames[:, 2]).any(dim=1)

    shares = covered.float().mean(dim=(1, 2))
    assert torch.allclose(shares, torch.tensor(0.3), atol=0.04)
    assert covered[:, 32, 24].all()


def test_the_occluder_goes_to_the_middle_where_no_joint_is_labelled(batch: ClipBatch) -> None:
    blank = replace(batch, visible=torch.zeros_like(batch.visible), keypoints=torch.zeros_like(batch.keypoints))

    assert (degraded(blank, "occluder", 3) != batch.frames[:, 2]).any(dim=1)[:, 32, 24].all()


def test_a_severity_beyond_5_is_refused() -> None:
    with pytest.raises(ValueError, match="severity: got 6, wanted 0 to 5"):
        Degradation(kind="noise", severity=6, seed=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", TARGETS)
def test_a_degradation_changes_the_frames_of_its_target_and_no_others(
    batch: ClipBatch, kind: Kind, target: Target
) -> None:
    changed = (clips_of(batch, kind, 4, target=target) != batch.frames).flatten(2).any(dim=2)

    wanted = {"keyframe": [False, False, True, False, False], "supporting": [True, True, False, True, True]}
    assert changed.tolist() == [wanted.get(target, [True] * 5)] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_keyframe_is_degraded_alike_alone_and_with_its_supporting_frames(batch: ClipBatch, kind: Kind) -> None:
    assert torch.equal(clips_of(batch, kind, 4, target="all")[:, 2], degraded(batch, kind, 4))


def test_supporting_frames_are_spoilt_each_in_its_own_way(batch: ClipBatch) -> None:
    noise = clips_of(batch, "noise", 2, target="supporting").float() - batch.frames.float()

    assert not torch.equal(noise[:, 0], noise[:, 1])


def test_whoever_is_hidden_whole_shows_no_joint(batch: ClipBatch) -> None:
    spread = replace(batch, keypoints=torch.tensor([[10.0, 12.0], [30.0, 50.0]]).repeat(2, 9, 1)[:, :17])

    hidden = (degraded(spread, "person", 1) != batch.frames[:, 2]).any(dim=1).float()

    assert hidden[:, 12:51, 10:31].mean() > 0.95
    assert not hidden[:, :6].any()


def test_a_dropped_frame_shows_the_one_before_it(batch: ClipBatch) -> None:
    assert torch.equal(degraded(batch, "dropped", 1), batch.frames[:, 1])
    assert torch.equal(clips_of(batch, "dropped", 1, target="supporting")[:, 0], batch.frames[:, 1])


def test_a_dropped_supporting_frame_never_becomes_the_keyframe(batch: ClipBatch) -> None:
    shown = clips_of(batch, "dropped", 1, target="all")

    assert torch.equal(shown, batch.frames[:, [1, 0, 1, 1, 3]])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "foreign"])
@pytest.mark.parametrize("target", ["supporting", "all"])
def test_degraded_supporting_frames_hold_nothing_of_the_keyframe(batch: ClipBatch, kind: Kind, target: Target) -> None:
    inverted = batch.frames.clone()
    inverted[:, 2] = 255 - inverted[:, 2]
    others = [0, 1, 3, 4]

    found = [clips_of(replace(batch, frames=frames), kind, 5, target=target) for frames in (batch.frames, inverted)]

    assert torch.equal(found[0][:, others], found[1][:, others])


def test_darkness_leaves_its_share_of_the_light(batch: ClipBatch) -> None:
    light = [
        degraded(batch, "darkness", severity).float().mean() / batch.frames[:, 2].float().mean() for severity in (1, 2)
    ]

    assert light == pytest.approx([0.45, 0.2025], abs=0.01)


def test_a_foreign_frame_is_another_videos(batch: ClipBatch) -> None:
    samples = tuple(
        replace(one, video=name, key=f"{name}-000005-{one.person:03d}")
        for one, name in zip(batch.samples, "ab", strict=True)
    )
    named = replace(batch, samples=samples)

    shown = [degraded(named, "foreign", 1, seed=seed)[:, 0, 0, 0].tolist() for seed in range(30)]

    assert {first for first, _ in shown} == {1, 2, 3}
    assert {second for _, second in shown} == {0, 2, 3}


def test_donors_are_the_first_keyframes_of_the_videos(batch: ClipBatch) -> None:
    names = (("a", "a"), ("b", "a"))
    batches = [
        replace(
            batch,
            samples=tuple(
                replace(one, video=name, key=f"{name}-000005-{one.person:03d}")
                for one, name in zip(batch.samples, pair, strict=True)
            ),
        )
        for pair in names
    ]

    donors = gather_donors(batches, position=2)

    assert donors.videos == ("a", "b")
    assert torch.equal(donors.frames, batch.frames[[0, 0], 2])
    with pytest.raises(Refusal, match=r"stress\.kinds: got `foreign` with people of 1 video"):
        gather_donors(batches[:1], position=2)
