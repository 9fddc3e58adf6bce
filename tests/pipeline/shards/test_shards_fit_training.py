from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.refusal import Refusal
from pipeline.shards.augment import AugmentConfig
from pipeline.shards.fitness import fewest_shards, refuse_few, refuse_narrow
from pipeline.shards.manifest import read_manifest


@pytest.mark.parametrize(("ranks", "workers", "expected"), [(1, 0, 4), (1, 1, 4), (2, 0, 8), (2, 8, 64), (4, 8, 128)])
def test_each_process_that_reads_has_four_shards(ranks: int, workers: int, expected: int) -> None:
    assert fewest_shards(ranks=ranks, workers=workers) == expected


def test_too_few_shards_are_refused_with_the_arithmetic() -> None:
    refuse_few(24, what="split train", ranks=2, workers=3)
    with pytest.raises(Refusal, match=r"split train: got 23 shards, wanted at least 24 = 4 x 2 ranks .* x 3 that read"):
        refuse_few(23, what="split train", ranks=2, workers=3)


def test_views_that_reach_beyond_the_stored_crops_are_refused(
    packed: Path, make_augment: Callable[..., AugmentConfig]
) -> None:
    manifest = read_manifest(packed / "train")

    refuse_narrow(manifest, make_augment(shift=0.25, flip=0.5, color=0.3, half_body=0.5))
    refuse_narrow(manifest, make_augment(shift=0.1))
    with pytest.raises(Refusal, match=r"wanted a border of 13 pixels .* shift 0.4 .* split train was stored with 8"):
        refuse_narrow(manifest, make_augment(shift=0.4))


def test_crops_stored_wider_than_needed_are_taken(packed: Path, make_augment: Callable[..., AugmentConfig]) -> None:
    refuse_narrow(replace(read_manifest(packed / "train"), stored_size=(64, 56)), make_augment(shift=0.4))
