"""With bf16 the passes are rougher; what is learned is kept in fp32, and is about the same."""

import dataclasses
import math
from typing import Any

import pytest
import torch

from dsn.network import build
from pipeline.training.advance import advance
from pipeline.training.guards import Facts
from pipeline.training.recipe import Recipe
from pipeline.training.run import Run, start


def fresh(recipe: Recipe, **train: Any) -> Run:
    torch.manual_seed(0)
    recipe = dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, **train))
    return start(build(recipe.model, recipe.skeleton), recipe)


def unwanted(facts: Facts) -> None:
    raise AssertionError(f"left out: {facts}")


def losses(run: Run, noise: Any) -> list[float]:
    """Those of the first steps."""
    rows = (
        advance(run, [noise.batch(n)], rank=0, of=1, with_gradient_shares=False, skipped=unwanted) for n in range(6)
    )
    return [row["loss"] for row, _ in rows]


def test_bf16_learns_about_what_fp32_learns_and_not_just_the_same(recipe: Recipe, noise: Any) -> None:
    rough = losses(fresh(recipe, precision="bf16"), noise)
    exact = losses(fresh(recipe, precision="fp32"), noise)

    assert all(map(math.isfinite, rough))
    assert rough != exact
    assert rough == pytest.approx(exact, rel=0.02)  # bf16 has 8 bits: each rounding is off by at most 0.4 %


def test_with_bf16_layers_compute_in_it_and_weights_gradients_and_what_is_kept_of_both_stay_fp32(
    recipe: Recipe, noise: Any
) -> None:
    run, seen = fresh(recipe, precision="bf16"), set[torch.dtype]()
    for module in run.network.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(lambda _module, _images, answer: seen.add(answer.dtype))

    losses(run, noise)

    assert torch.bfloat16 in seen
    gradients = [parameter.grad for parameter in run.network.parameters()]
    state = run.state()
    assert dtypes([gradient for gradient in gradients if gradient is not None]) == {torch.float32}
    assert dtypes([state["network"], state["average"], state["stepper"]]) == {torch.float32}


def dtypes(values: Any) -> set[torch.dtype]:
    """Those of all floating tensors in nested values."""
    if isinstance(values, torch.Tensor):
        return {values.dtype} if values.is_floating_point() else set()
    members = values.values() if isinstance(values, dict) else values if isinstance(values, list | tuple) else ()
    return set().union(*map(dtypes, members))
