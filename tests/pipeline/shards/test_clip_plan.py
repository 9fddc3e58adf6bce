from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.posetrack.index import Index
from pipeline.refusal import Refusal
from pipeline.shards.border import Views
from pipeline.shards.plan import assign, clips, count_heads, refuse_overlap
from pipeline.shards.recipe import Recipe, Split


def test_only_people_with_a_joint_that_counts_become_samples(index: Index) -> None:
    ears_alone = np.zeros((17, 3), dtype=np.float32)
    ears_alone[[3, 4]] = 1
    nothing = np.zeros(51, dtype=np.float32)
    keypoints = [ears_alone.ravel(), nothing, *index.people["keypoints"].tolist()[2:]]
    people = index.people.assign(keypoints=pd.Series(keypoints))

    rows = clips(replace(index, people=people))["train"]

    assert len(rows) == 26
    assert rows.iloc[0].tolist() == ["000001_a", 1, 0, 2]


def test_a_split_without_people_is_refused(index: Index) -> None:
    emptied = replace(index, people=index.people[index.people["video"] != "000003_a"])

    with pytest.raises(Refusal, match="split select has no people"):
        clips(emptied)


def rows_of(count: int) -> pd.DataFrame:
    return pd.DataFrame({"video": "v", "frame": np.arange(count), "person": 0})


@pytest.mark.parametrize(
    ("samples", "limit", "least", "expected"),
    [(100, 10, 4, [10] * 10), (10, 100, 4, [3, 3, 2, 2]), (3, 100, 8, [1, 1, 1]), (101, 50, 1, [34, 34, 33])],
)
def test_shards_are_even_and_no_fewer_than_asked(
    samples: int, limit: int, least: int, expected: list[int], make_recipe: Callable[..., Recipe]
) -> None:
    config = make_recipe(samples_per_shard=limit, min_shards=least).shard

    plan = assign(rows_of(samples), "train", config)

    assert plan.groupby("shard").size().tolist() == expected
    assert plan["shard"].is_monotonic_increasing


def test_train_is_shuffled_by_the_seed_and_val_keeps_its_order(make_recipe: Callable[..., Recipe]) -> None:
    def order(split: Split, seed: int) -> list[int]:
        return assign(rows_of(50), split, make_recipe(seed=seed).shard)["frame"].tolist()

    assert order("val", 0) == order("val", 1) == list(range(50))
    assert order("train", 0) == order("train", 0)
    assert len({tuple(order("train", 0)), tuple(order("train", 1)), tuple(order("select", 0)), tuple(range(50))}) == 4
    assert sorted(order("train", 0)) == list(range(50))


def test_clips_of_train_and_select_that_share_frames_are_refused(index: Index) -> None:
    index.frames.loc[index.frames["video"] == "000001_a", "split"] = ["train"] * 2 + ["gap"] * 3 + ["select"] * 2

    refuse_overlap(index, (-2, 1))
    with pytest.raises(Refusal, match=r"spans 5 frames, but only 3 .* in 000001_a; set `prepare.window` to at least 5"):
        refuse_overlap(index, (-2, -1, 1, 2))


@pytest.mark.parametrize("offsets", [(), (-1, 0, 1), (2, 1), (1, 1)])
def test_offsets_out_of_order_are_refused(offsets: tuple[int, ...], make_recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(ValueError, match="offsets: got"):
        replace(make_recipe(), offsets=offsets)


@pytest.mark.parametrize(
    ("change", "told"),
    [({"coverage": 0.0}, "coverage"), ({"quality": 101}, "quality"), ({"min_shards": 0}, "min_shards")],
)
def test_impossible_shards_are_refused(change: dict[str, float], told: str, make_recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(ValueError, match=f"{told}: got"):
        make_recipe(**change)


def test_where_nothing_moves_a_view_the_stored_crop_is_the_input(make_recipe: Callable[..., Recipe]) -> None:
    still = Views(rotation=0.0, rotation_probability=0.0, scale=0.0, shift=0.0)

    assert replace(make_recipe(), views=still).stored_size == (32, 24)


def test_heads_are_counted_among_a_splits_samples(index: Index, make_recipe: Callable[..., Recipe]) -> None:
    plan = assign(clips(index)["select"], "select", make_recipe().shard)
    heads = index.people["head_bbox"].tolist()
    first, second = plan["row"][:2]
    heads[first], heads[second] = np.full(4, np.nan), np.zeros(4)
    others = index.people.index[index.people["video"] == "000001_a"]
    for row in others:
        heads[row] = np.full(4, np.nan)

    assert count_heads(index, plan) == 14
    assert count_heads(replace(index, people=index.people.assign(head_bbox=pd.Series(heads))), plan) == 12
