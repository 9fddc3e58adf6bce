import importlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.evaluation.degrade import KINDS, Degradation, Kind, degraded_keyframes, disc, shutter_weights
from pipeline.shards.batch import ClipBatch

CLIP = (-2, -1, 0, 1, 2)


@pytest.fixture
def batch() -> ClipBatch:
    made: ClipBatch = importlib.import_module("tests.world.clips").batch()
    return made


def degraded(batch: ClipBatch, kind: Kind, severity: int, *, seed: int = 0) -> Tensor:
    return degraded_keyframes(batch, Degradation(kind=kind, severity=severity, seed=seed), clip=CLIP)


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
        samples=batch.samples[1:],
    )

    assert torch.equal(degraded(alone, kind, 4)[0], degraded(batch, kind, 4)[1])


@pytest.mark.parametrize("kind", ["occluder", "noise"])
def test_another_seed_draws_other_pixels(batch: ClipBatch, kind: Kind) -> None:
    assert not torch.equal(degraded(batch, kind, 3, seed=0), degraded(batch, kind, 3, seed=1))


@pytest.mark.parametrize("kind", ["motion_blur", "defocus", "occluder", "noise"])
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
    assert shutter_weights(CLIP, severity=0).tolist() == [0, 0, 1, 0, 0]
    # Open from -1.3 to 1.3: the keyframe's own time, and 0.8 of each neighbour's.
    np.testing.assert_allclose(shutter_weights(CLIP, severity=2), np.array([0, 0.8, 1, 0.8, 0]) / 2.6)
    np.testing.assert_allclose(shutter_weights((-2, -1, 0), severity=5), [1 / 3] * 3)


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
