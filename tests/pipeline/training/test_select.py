"""PCK on the select split."""

import dataclasses
from typing import Any

import pytest
import torch

from dsn.codec import decode
from dsn.network import build
from dsn.pixels import normalize
from dsn.skeleton import POSETRACK
from pipeline.shards.border import Views
from pipeline.shards.manifest import Manifest
from pipeline.shards.recipe import Recipe as ShardRecipe
from pipeline.shards.recipe import ShardConfig
from pipeline.training.recipe import Recipe
from pipeline.training.select import select_metrics
from pipeline.training.step import forward
from pipeline.training.yardstick import BBOXES, HEADS, Yardstick, yardstick_of


def select_of(*, samples: int, heads: int) -> Manifest:
    """A manifest of select without its shards."""
    shard = ShardConfig(coverage=1.0, quality=90, reach=4, samples_per_shard=9, min_shards=1, seed=0)
    views = Views(rotation=0.0, rotation_probability=0.0, scale=0.0, shift=0.0)
    recipe = ShardRecipe(shard=shard, input_size=(64, 64), offsets=(-1, 1), views=views)
    return Manifest(
        split="select", samples=samples, heads=heads, shards=(), stored_size=(64, 64), clip=(-1, 0, 1), recipe=recipe,
        source_digest="", skeleton=POSETRACK,
    )  # fmt: skip


def test_keypoints_where_the_network_finds_them_score_a_hundred(recipe: Recipe, noise: Any) -> None:
    torch.manual_seed(0)
    network = build(recipe.model, recipe.skeleton).eval()
    batch = noise.batch(1)
    with torch.inference_mode():
        found = forward(network, normalize(batch.frames), model=recipe.model)
    keypoints, _ = decode(found.final, input_size=recipe.model.input_size, config=recipe.model.heatmap)
    keypoints[:, 0] += 5.1  # just over half a head away: one joint of 17 is wrong
    batch = dataclasses.replace(batch, keypoints=keypoints)

    scores = select_metrics(network, iter([batch, batch]), model=recipe.model, joints=17, yardstick=HEADS)

    assert scores["select/pck_final"] == pytest.approx(100 * 16 / 17)


def test_people_without_a_head_size_do_not_count(recipe: Recipe, noise: Any) -> None:
    network = build(recipe.model, recipe.skeleton)
    nobody = dataclasses.replace(noise.batch(1), head_size=torch.full((2,), float("nan")))

    scores = select_metrics(network, iter([nobody]), model=recipe.model, joints=17, yardstick=HEADS)

    assert torch.tensor(scores["select/pck_final"]).isnan()


def test_where_there_are_no_heads_a_keypoint_is_right_within_a_fifth_of_the_bbox(recipe: Recipe, noise: Any) -> None:
    network = build(recipe.model, recipe.skeleton).eval()
    batch = dataclasses.replace(noise.batch(1), head_size=torch.full((2,), float("nan")))
    with torch.inference_mode():
        found = forward(network, normalize(batch.frames), model=recipe.model)
    keypoints, _ = decode(found.final, input_size=recipe.model.input_size, config=recipe.model.heatmap)
    keypoints[:, 0, 0] += 5.9  # bboxes are 30 pixels long, so six may be missed
    keypoints[:, 1, 0] += 6.1
    batch = dataclasses.replace(batch, keypoints=keypoints)

    scores = select_metrics(network, iter([batch]), model=recipe.model, joints=17, yardstick=BBOXES)

    assert scores["select/pck_final"] == pytest.approx(100 * 16 / 17)


@pytest.mark.parametrize(("heads", "yardstick"), [(9, HEADS), (5, HEADS), (4, BBOXES), (0, BBOXES)])
def test_heads_measure_a_split_in_which_at_least_half_have_one(heads: int, yardstick: Yardstick) -> None:
    assert yardstick_of(select_of(samples=9, heads=heads)) is yardstick
