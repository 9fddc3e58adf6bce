from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsn.skeleton import POSETRACK
from pipeline.refusal import Refusal
from pipeline.shards.border import Views
from pipeline.shards.manifest import Manifest, Shard, read_manifest
from pipeline.shards.order import evaluation_places, steps_per_epoch, training_places
from pipeline.shards.recipe import Recipe, ShardConfig

RECIPE = Recipe(
    shard=ShardConfig(coverage=0.99, quality=90, reach=4, samples_per_shard=9, min_shards=1, seed=0),
    input_size=(32, 24),
    offsets=(-1, 1),
    views=Views(rotation=0.0, rotation_probability=0.0, scale=0.0, shift=0.0),
)
counts = st.lists(st.integers(1, 9), min_size=1, max_size=12)


def manifest_of(sizes: list[int]) -> Manifest:
    shards = tuple(
        Shard(name=f"{n:06d}.tar", sha256="", first_key="", last_key="", ends=tuple(range(1, size + 1)))
        for n, size in enumerate(sizes)
    )
    return Manifest(
        split="train", samples=sum(sizes), heads=0, shards=shards, stored_size=(48, 36), clip=(-1, 0, 1), recipe=RECIPE,
        source_digest="", skeleton=POSETRACK,
    )  # fmt: skip


def order(manifest: Manifest, *, epoch: int = 0, rank: int = 0, world: int = 1, seed: int = 0) -> list[tuple[int, int]]:
    places = training_places(manifest, shuffle=5, batch_size=2, seed=seed, epoch=epoch, rank=rank, world=world)
    return [(shard, place) for shard, place in places.tolist()]


def everything(manifest: Manifest) -> list[tuple[int, int]]:
    return [(n, place) for n, shard in enumerate(manifest.shards) for place in range(shard.samples)]


@given(sizes=counts, world=st.integers(1, 15))
def test_evaluation_sees_every_record_once_in_order_for_any_number_of_ranks(sizes: list[int], world: int) -> None:
    manifest = manifest_of(sizes)

    shares = [evaluation_places(manifest, rank=rank, world=world).tolist() for rank in range(world)]

    assert [tuple(place) for share in shares for place in share] == everything(manifest)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@given(sizes=counts, world=st.integers(1, 4), epoch=st.integers(0, 3))
def test_ranks_train_on_disjoint_shares_of_equal_length(sizes: list[int], world: int, epoch: int) -> None:
    manifest = manifest_of(sizes)
    if manifest.samples < 2 * world:
        with pytest.raises(Refusal, match=f"has {manifest.samples} samples, wanted at least {2 * world}"):
            order(manifest, world=world)
        return

    shares = [order(manifest, epoch=epoch, rank=rank, world=world) for rank in range(world)]

    steps = steps_per_epoch(manifest, batch_size=2, world=world)
    assert {len(share) for share in shares} == {2 * steps}
    seen = [place for share in shares for place in share]
    assert len(set(seen)) == len(seen)
    assert set(seen) <= set(everything(manifest))
    assert manifest.samples - len(seen) < 2 * world


def test_each_epoch_has_its_own_order_that_the_seed_decides() -> None:
    manifest = manifest_of([5] * 8)

    orders = [tuple(order(manifest, epoch=epoch, seed=seed)) for epoch in range(3) for seed in range(2)]

    assert len(set(orders)) == 6
    assert order(manifest, epoch=1) == order(manifest, epoch=1)
    assert all(sorted(drawn) == everything(manifest) for drawn in orders)


@settings(max_examples=20)
@given(epoch=st.integers(0, 1000))
def test_a_rank_reads_few_shards(epoch: int) -> None:
    manifest = manifest_of([8] * 16)

    shards = {shard for shard, _ in order(manifest, epoch=epoch, rank=1, world=4)}

    assert len(shards) == 4


def test_within_the_buffer_the_order_is_random() -> None:
    manifest = manifest_of([20])

    drawn = order(manifest)

    assert sorted(drawn[:5]) == [(0, place) for place in range(5)]
    assert any(drawn[start : start + 5] != sorted(drawn[start : start + 5]) for start in range(0, 20, 5))


def test_steps_fill_whole_batches_on_all_ranks() -> None:
    manifest = manifest_of([10, 13])

    assert steps_per_epoch(manifest, batch_size=4, world=1) == 5
    assert steps_per_epoch(manifest, batch_size=4, world=2) == 2


def test_a_manifest_that_is_not_one_is_refused(packed: Path, tmp_path: Path) -> None:
    text = (packed / "train/manifest.json").read_text()
    (tmp_path / "manifest.json").write_text(text.replace('"samples": 28', '"samples": "many"'))

    with pytest.raises(Refusal, match=r"manifest.json.samples: got 'many'"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text(text[:-3])
    with pytest.raises(Refusal, match=r"manifest.json is not JSON: EOF while parsing"):
        read_manifest(tmp_path)
    with pytest.raises(Refusal, match=r"nowhere/manifest.json: no such file, .* run stage shard"):
        read_manifest(tmp_path / "nowhere")
