from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from dsn.loss import LossConfig, gradient_shares, heatmap_error, losses, reconstruction_error
from dsn.readouts import Readouts, Reconstruction

WEIGHTS = LossConfig(final=1.0, keypoint=2.0, dense=3.0, visual=0.0, reconstruction=0.5, masked=0.0, hard_joints=None)
SUPERVISED = torch.tensor([[True, False], [True, True]])


def _maps(value: float) -> Tensor:
    return torch.full((2, 2, 4, 4), value)


def test_the_error_of_unsupervised_joints_does_not_count() -> None:
    heatmaps = torch.zeros(2, 1, 2, 4, 4)
    heatmaps[0, 0, 0] = 3.0
    heatmaps[0, 0, 1] = 100.0

    error = heatmap_error(heatmaps, _maps(0.0), supervised=SUPERVISED, hard_joints=None)

    assert error.item() == pytest.approx(9 / 3)  # one joint of three is wrong by 3 everywhere


def test_the_error_is_averaged_over_cells_and_over_views() -> None:
    heatmaps = torch.zeros(2, 2, 2, 4, 4)
    heatmaps[:, 1, :, 0, 0] = 4.0

    error = heatmap_error(heatmaps, _maps(0.0), supervised=SUPERVISED, hard_joints=None)

    assert error.item() == pytest.approx(16 / 16 / 2)


def test_a_batch_without_a_labelled_joint_has_no_error_and_no_gradient() -> None:
    heatmaps = torch.ones(2, 1, 2, 4, 4, requires_grad=True)

    error = heatmap_error(heatmaps, _maps(0.0), supervised=torch.zeros(2, 2, dtype=torch.bool), hard_joints=None)
    (gradient,) = torch.autograd.grad(error, heatmaps)

    assert error.item() == 0
    assert gradient.abs().max() == 0


def _rebuilt(*, wrong: float, counted: list[bool]) -> Reconstruction:
    truth = torch.zeros(2, 3, 12)
    guess = truth.index_fill(1, torch.tensor([2]), wrong)
    return Reconstruction(guess=guess, truth=truth, counted=torch.tensor(counted).expand(2, 3))


def test_only_patches_that_were_hidden_count() -> None:
    assert reconstruction_error(_rebuilt(wrong=2.0, counted=[True, True, True])).item() == pytest.approx(4 / 3)
    assert reconstruction_error(_rebuilt(wrong=2.0, counted=[False, True, True])).item() == 2.0
    assert reconstruction_error(_rebuilt(wrong=2.0, counted=[True, True, False])).item() == 0.0
    assert reconstruction_error(_rebuilt(wrong=2.0, counted=[False, False, False])).item() == 0.0


def test_each_term_is_weighted_and_those_of_weight_0_are_left_out() -> None:
    readouts = Readouts(
        final=_maps(1.0),
        keypoint=_maps(2.0),
        dense=torch.stack([_maps(0.0), _maps(2.0)], dim=1),
        temporal=_maps(9.0),
        visual=_maps(9.0),
        reconstruction=_rebuilt(wrong=2.0, counted=[False, False, True]),
        masked=_rebuilt(wrong=2.0, counted=[True, True, True]),
    )

    terms = losses(readouts, _maps(0.0), supervised=SUPERVISED, config=WEIGHTS)

    assert {name: term.item() for name, term in terms.items()} == {
        "final": 1.0,
        "keypoint": 8.0,
        "dense": 6.0,
        "reconstruction": 2.0,
    }


def _reconstructed(guess: Tensor, *, is_spoilt: list[bool]) -> Tensor:
    """The term of a keyframe's reconstruction that should be 0 everywhere."""
    rebuilt = Reconstruction(guess=guess, truth=torch.zeros_like(guess), counted=torch.ones(2, 3, dtype=torch.bool))
    readouts = Readouts(final=_maps(1.0), reconstruction=rebuilt, masked=rebuilt)
    config = replace(WEIGHTS, reconstruction=1.0, masked=1.0)
    terms = losses(readouts, _maps(0.0), supervised=SUPERVISED, is_spoilt=torch.tensor(is_spoilt), config=config)
    assert terms["masked"] == guess.square().mean()  # no keyframe goes into it
    return terms["reconstruction"]


def test_nobody_reconstructs_a_spoilt_keyframe() -> None:
    guess = torch.stack([torch.full((3, 12), 2.0), torch.full((3, 12), 4.0)]).requires_grad_()

    assert _reconstructed(guess, is_spoilt=[False, False]) == (4 + 16) / 2
    assert _reconstructed(guess, is_spoilt=[True, False]) == 16
    error = _reconstructed(guess, is_spoilt=[True, True])
    assert error == 0
    assert not torch.autograd.grad(error, guess)[0].any()


def test_a_single_frame_network_has_the_final_term_alone() -> None:
    readouts = Readouts(final=_maps(1.0))

    terms = losses(readouts, _maps(0.0), supervised=SUPERVISED, config=WEIGHTS)

    assert list(terms) == ["final"]


def test_negative_weights_and_a_loss_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match=r"dense: got -1\.0, wanted 0 or more"):
        replace(WEIGHTS, dense=-1.0)
    with pytest.raises(ValueError, match=r"hard_joints: got 0, wanted at least 1, or null"):
        replace(WEIGHTS, hard_joints=0)
    with pytest.raises(ValueError, match=r"got 0 for each, wanted at least one"):
        LossConfig(final=0.0, keypoint=0.0, dense=0.0, visual=0.0, reconstruction=1.0, masked=1.0, hard_joints=None)


def _errors(values: list[list[float]]) -> Tensor:
    """Heatmaps whose squared error is that of each person and joint."""
    return torch.tensor(values).sqrt()[:, None, :, None, None].expand(-1, 1, -1, 4, 4)


def test_of_hard_joints_each_person_has_the_worst_that_are_supervised() -> None:
    heatmaps = _errors([[1.0, 9.0, 4.0, 100.0], [2.0, 3.0, 1.0, 5.0]])
    supervised = torch.tensor([[True, True, True, False], [True, False, False, False]])

    error = heatmap_error(heatmaps, torch.zeros(2, 4, 4, 4), supervised=supervised, hard_joints=2)

    assert error.item() == pytest.approx((9 + 4 + 2) / 3)


def test_as_many_hard_joints_as_there_are_is_all_of_them() -> None:
    heatmaps = _errors([[1.0, 9.0, 4.0, 100.0]])
    targets, supervised = torch.zeros(1, 4, 4, 4), torch.tensor([[True, True, False, True]])

    errors = [heatmap_error(heatmaps, targets, supervised=supervised, hard_joints=count) for count in (9, 4, None)]

    assert [error.item() for error in errors] == pytest.approx([110 / 3] * 3)


def test_the_gradient_of_the_error_is_that_of_its_numbers() -> None:
    generator = torch.Generator().manual_seed(0)
    heatmaps = torch.rand(2, 2, 3, 2, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.rand(2, 3, 2, 2, generator=generator, dtype=torch.float64)
    supervised = torch.tensor([[True, True, False], [True, True, True]])

    for hard_joints in (None, 2):
        error = partial(heatmap_error, targets=targets, supervised=supervised, hard_joints=hard_joints)
        assert torch.autograd.gradcheck(error, heatmaps)


def test_a_gradients_share_is_its_norm_among_all_and_the_graph_stays() -> None:
    weights, other = torch.tensor([1.0, 1.0], requires_grad=True), torch.tensor(1.0, requires_grad=True)
    terms = {"a": (weights * torch.tensor([3.0, 4.0])).sum(), "b": 10 * other + weights.sum() * 0, "c": other * 0}

    shares = gradient_shares(terms, [weights, other])

    assert shares == pytest.approx({"a": 5 / 15, "b": 10 / 15, "c": 0.0})
    (gradient,) = torch.autograd.grad(terms["a"] + terms["b"], other)
    assert gradient.item() == 10


def test_a_term_that_moves_nothing_trained_has_no_share() -> None:
    frozen, trained = torch.tensor(2.0), torch.tensor(1.0, requires_grad=True)
    terms = {"a": trained * 2, "b": torch.tensor(3.0, requires_grad=True) * frozen}

    assert gradient_shares(terms, [frozen, trained]) == {"a": 1.0, "b": 0.0}
