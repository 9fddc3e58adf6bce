"""A batch means the same however it is dealt out: in passes, in shares, on ranks."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from dsn.network import build
from pipeline.shards.batch import ClipBatch
from pipeline.training.advance import advance
from pipeline.training.guards import Facts
from pipeline.training.pieces import cut
from pipeline.training.recipe import Recipe
from pipeline.training.run import Run, start


def fresh(recipe: Recipe, **train: Any) -> Run:
    torch.manual_seed(0)
    recipe = dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, clip_norm=1e9, **train))
    return start(build(recipe.model, recipe.skeleton), recipe)


def unwanted(facts: Facts) -> None:
    raise AssertionError(f"left out: {facts}")


def gradient(run: Run, shares: Sequence[ClipBatch]) -> tuple[torch.Tensor, float]:
    """The gradient of a batch as one vector, and its loss."""
    row, _ = advance(run, shares, rank=0, of=len(shares), with_gradient_shares=False, skipped=unwanted)
    parts = [parameter.grad.flatten() for parameter in run.network.parameters() if parameter.grad is not None]
    return torch.cat(parts), row["loss"]


def uneven(noise: Any, *, count: int) -> ClipBatch:
    """A batch in which people have few supervised joints or none, and whose first three keyframes are spoilt."""
    batch: ClipBatch = noise.batch(1, count=count)
    visible = torch.rand(count, 17, generator=torch.Generator().manual_seed(2)) < 0.6
    visible[1] = False
    return dataclasses.replace(batch, visible=visible, is_spoilt=torch.arange(count) < 3)


@pytest.mark.parametrize("hard_joints", [None, 5])
@pytest.mark.parametrize("size", [4, 3])
def test_a_batch_of_eight_in_passes_has_the_gradient_of_the_batch_at_once(
    recipe: Recipe, noise: Any, size: int, hard_joints: int | None
) -> None:
    recipe = dataclasses.replace(recipe, loss=dataclasses.replace(recipe.loss, hard_joints=hard_joints))
    batch = uneven(noise, count=8)

    whole, loss = gradient(fresh(recipe), [batch])
    pieces, summed = gradient(fresh(recipe, micro_batch=size), [batch])

    assert summed == pytest.approx(loss, rel=1e-6)
    assert (pieces - whole).norm() <= 1e-6 * whole.norm()


def test_the_weights_of_pieces_sum_up_to_one(recipe: Recipe, noise: Any) -> None:
    pieces = cut(uneven(noise, count=8), size=3, model=recipe.model, loss=recipe.loss)

    assert [len(piece.batch.keys) for piece in pieces] == [3, 3, 2]
    assert sum(piece.weight("final") for piece in pieces) == pytest.approx(1)
    assert [piece.weight("masked") for piece in pieces] == pytest.approx([3 / 8, 3 / 8, 2 / 8])
    assert [piece.weight("reconstruction") for piece in pieces] == pytest.approx([0, 3 / 5, 2 / 5])


def test_a_batch_of_spoilt_keyframes_alone_has_no_reconstruction_to_learn_from(recipe: Recipe, noise: Any) -> None:
    batch = dataclasses.replace(noise.batch(1, count=4), is_spoilt=torch.ones(4, dtype=torch.bool))
    run = fresh(recipe, micro_batch=2)

    row, _ = advance(run, [batch], rank=0, of=1, with_gradient_shares=False, skipped=unwanted)

    assert row["loss/reconstruction"] == 0
    assert row["loss/final"] > 0
    readout = run.network.get_submodule("temporal.reconstruct")
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in readout.parameters())


def test_shares_are_averaged_each_with_random_numbers_of_its_own(recipe: Recipe, noise: Any) -> None:
    first, second = noise.batch(1), noise.batch(2)

    both, loss = gradient(fresh(recipe), [first, second])
    apart = [gradient(fresh(recipe), [share]) for share in (first, second)]

    assert loss == pytest.approx(sum(one[1] for one in apart) / 2, rel=1e-6)
    assert (both - (apart[0][0] + apart[1][0]) / 2).norm() <= 1e-6 * both.norm()


def test_a_step_that_is_not_finite_is_left_out_and_the_run_is_as_if_it_had_not_been(recipe: Recipe, noise: Any) -> None:
    run, told = fresh(recipe, max_skipped_share=0.2), list[Facts]()
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    with torch.no_grad():
        weight = next(run.network.parameters())
        kept = weight.clone()
        weight.fill_(float("nan"))

    row, _ = advance(run, [noise.batch(1)], rank=0, of=1, with_gradient_shares=False, skipped=told.append)

    assert row == {}
    assert (run.step, run.skipped) == (1, 1)
    assert [facts.step for facts in told] == [0]
    assert told[0].keys == ("clip-000005-000", "clip-000005-001")
    with torch.no_grad():
        weight.copy_(kept)
    assert all(torch.equal(value, before[name]) for name, value in run.network.state_dict().items())


def test_more_steps_that_are_not_finite_than_may_be_stop_the_run(recipe: Recipe, noise: Any) -> None:
    run = fresh(recipe, max_skipped_share=0.2)  # one of eight steps
    with torch.no_grad():
        next(run.network.parameters()).fill_(float("nan"))
    advance(run, [noise.batch(1)], rank=0, of=1, with_gradient_shares=False, skipped=lambda _: None)

    with pytest.raises(FloatingPointError, match="step 1 is not finite on rank 0"):
        advance(run, [noise.batch(2)], rank=0, of=1, with_gradient_shares=False, skipped=lambda _: None)


def test_a_gradient_that_is_not_finite_stops_the_run_before_it_reaches_the_weights(recipe: Recipe, noise: Any) -> None:
    run = fresh(recipe)
    weight = next(run.network.parameters())
    before = weight.detach().clone()
    weight.register_hook(lambda gradient: gradient * float("inf"))  # type: ignore[no-untyped-call]

    with pytest.raises(FloatingPointError, match=r"step 0 .*gradient_norm (inf|nan)"):
        advance(run, [noise.batch(1)], rank=0, of=1, with_gradient_shares=False, skipped=unwanted)

    assert torch.equal(weight, before)
