"""PCKh on the select split."""

import dataclasses
from typing import Any

import pytest
import torch

from dsn.codec import decode
from dsn.network import build
from dsn.pixels import normalize
from pipeline.training.recipe import Recipe
from pipeline.training.select import select_metrics
from pipeline.training.step import forward


def test_keypoints_where_the_network_finds_them_score_a_hundred(recipe: Recipe, noise: Any) -> None:
    torch.manual_seed(0)
    network = build(recipe.model, recipe.skeleton).eval()
    batch = noise.batch(1)
    with torch.inference_mode():
        found = forward(network, normalize(batch.frames), model=recipe.model)
    keypoints, _ = decode(found.final, input_size=recipe.model.input_size, config=recipe.model.heatmap)
    keypoints[:, 0] += 5.1  # just over half a head away: one joint of 17 is wrong
    batch = dataclasses.replace(batch, keypoints=keypoints)

    scores = select_metrics(network, iter([batch, batch]), model=recipe.model, joints=17)

    assert scores["select/pckh_final"] == pytest.approx(100 * 16 / 17)


def test_people_without_a_head_size_do_not_count(recipe: Recipe, noise: Any) -> None:
    network = build(recipe.model, recipe.skeleton)
    nobody = dataclasses.replace(noise.batch(1), head_size=torch.full((2,), float("nan")))

    scores = select_metrics(network, iter([nobody]), model=recipe.model, joints=17)

    assert torch.tensor(scores["select/pckh_final"]).isnan()
