"""Records that cannot be read: training does without a few of them, evaluation without none."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.refusal import Refusal
from pipeline.shards.batch import ClipBatch
from pipeline.shards.manifest import Shard, read_manifest
from pipeline.shards.order import SPARES, spare_places
from pipeline.shards.reader import ReaderConfig, evaluation_batches, read_samples, training_batches

MakeReader = Callable[..., ReaderConfig]


@pytest.fixture
def split(packed: Path, tmp_path: Path) -> Path:
    """A copy of the split train, to be damaged: 4 shards of 7 records."""
    return Path(shutil.copytree(packed / "train", tmp_path / "train"))


def training(folder: Path, config: ReaderConfig, **changes: Any) -> Iterator[ClipBatch]:
    arguments: dict[str, Any] = {"batch_size": 4, "seed": 0, "epoch": 0, "rank": 0, "world": 1} | changes
    return training_batches(folder, config, input_size=(32, 24), **arguments)


def start_of(shard: Shard, record: int) -> int:
    return shard.ends[record - 1] if record else 0


def overwrite(split: Path, shard: int, *, record: int, find: bytes, by: bytes) -> None:
    """Change the bytes at the first place in a record where `find` stands."""
    entry = read_manifest(split).shards[shard]
    data = bytearray((split / entry.name).read_bytes())
    at = data.index(find, start_of(entry, record), entry.ends[record])
    data[at : at + len(by)] = by
    (split / entry.name).write_bytes(data)


def spoil_picture(split: Path, shard: int, *, record: int) -> None:
    overwrite(split, shard, record=record, find=b"\xff\xd8", by=bytes(100))


def cut(split: Path, shard: int, *, records: int) -> None:
    """Leave the first `records` records of a shard, and the first block of the next."""
    entry = read_manifest(split).shards[shard]
    with (split / entry.name).open("r+b") as file:
        file.truncate(start_of(entry, records) + 512)


def key_at(split: Path, shard: int, *, record: int) -> str:
    entry = read_manifest(split).shards[shard]
    data = (split / entry.name).read_bytes()
    return data[start_of(entry, record) :][:100].decode().partition(".")[0]


def test_training_goes_on_with_full_batches_and_names_what_it_did_without(split: Path, make_reader: MakeReader) -> None:
    gone = {key_at(split, 0, record=3), key_at(split, 2, record=6)}
    spoil_picture(split, 0, record=3)
    cut(split, 2, records=6)

    batches = list(training(split, make_reader(max_bad_share=0.1)))

    assert [len(batch.keys) for batch in batches] == [4] * 7
    assert all(batch.frames.shape[0] == 4 for batch in batches)
    named = sorted(name for batch in batches for name in batch.quarantined)
    assert len(named) == 2
    assert {name.split(" ")[0] for name in named} == gone
    assert f"in {split}/000000.tar: 0.jpg is not an image that can be decoded" in named[0] + named[1]
    assert f"in {split}/000002.tar: the shard is cut short: it ends at byte" in named[0] + named[1]
    assert gone.isdisjoint(key for batch in batches for key in batch.keys)


def test_every_other_sample_stays_where_it_was_and_as_it_was(split: Path, make_reader: MakeReader) -> None:
    config = make_reader(max_bad_share=0.1, rotation=40.0, rotation_probability=1.0, keyframe_dropout=0.5)
    sound = list(training(split, config))
    bad = key_at(split, 1, record=0)
    spoil_picture(split, 1, record=0)

    damaged = list(training(split, config))

    changed = []
    for before, after in zip(sound, damaged, strict=True):
        for row, key in enumerate(before.keys):
            if key == bad:
                changed.append(after.keys[row])
            else:
                assert after.keys[row] == key
                assert torch.equal(after.frames[row], before.frames[row])
    assert len(changed) == 1
    assert changed != [bad]


@pytest.mark.parametrize("how", [{"prefetch": 3}, pytest.param({"workers": 2}, marks=pytest.mark.slow)])
def test_who_stands_in_does_not_depend_on_who_reads(how: Any, split: Path, make_reader: MakeReader) -> None:
    spoil_picture(split, 0, record=3)
    cut(split, 3, records=2)

    one, other = (
        [(batch.keys, batch.quarantined) for batch in training(split, make_reader(max_bad_share=0.5, **kind))]
        for kind in (dict[str, Any](), how)
    )

    assert one == other
    assert sum(len(quarantined) for _, quarantined in one) == 6


def test_ranks_stay_equal_where_only_one_of_them_meets_damage(split: Path, make_reader: MakeReader) -> None:
    cut(split, 1, records=3)
    config = make_reader(max_bad_share=0.5)

    ranks = [[len(batch.keys) for batch in training(split, config, rank=rank, world=2)] for rank in (0, 1)]

    assert ranks == [[4, 4, 4], [4, 4, 4]]


def test_a_sample_whose_metadata_is_broken_is_quarantined(split: Path, make_reader: MakeReader) -> None:
    key = key_at(split, 0, record=1)
    overwrite(split, 0, record=1, find=b'{"bbox"', by=b'{"bxxx"')

    named = [name for batch in training(split, make_reader(max_bad_share=0.1)) for name in batch.quarantined]

    assert len(named) == 1
    assert named[0].startswith(f"{key} in ")
    assert "its json is not a sample's" in named[0]


def test_more_than_the_allowed_share_stops_the_run(split: Path, make_reader: MakeReader) -> None:
    cut(split, 0, records=4)
    allowed = list(training(split, make_reader(max_bad_share=3 / 28)))

    with pytest.raises(
        Refusal, match=r"train: 3 of 28 records cannot be read, wanted at most 0.1 of them .*000000.tar"
    ):
        list(training(split, make_reader(max_bad_share=0.1)))

    assert len(allowed) == 7


def test_with_no_share_allowed_the_first_bad_record_stops_the_run(split: Path, make_reader: MakeReader) -> None:
    spoil_picture(split, 2, record=2)

    with pytest.raises(Refusal, match=r"1 of 28 records cannot be read, .*reader.max_bad_share.*; `dvc checkout"):
        list(training(split, make_reader(max_bad_share=0.0)))


def test_a_split_of_which_nothing_can_be_read_stops_at_once(split: Path, make_reader: MakeReader) -> None:
    for shard in range(4):
        cut(split, shard, records=0)

    with pytest.raises(Refusal, match="nor can any record that was tried in its place"):
        list(training(split, make_reader(max_bad_share=0.9)))


def test_a_missing_shard_is_no_damage_to_go_on_with(split: Path, make_reader: MakeReader) -> None:
    (split / "000001.tar").unlink()

    with pytest.raises(Refusal, match=r"000001.tar: no such file, though manifest.json lists it"):
        list(training(split, make_reader(max_bad_share=0.9)))


def test_evaluation_refuses_and_names_the_first_bad_record(split: Path) -> None:
    key = key_at(split, 1, record=5)
    spoil_picture(split, 1, record=5)

    with pytest.raises(Refusal, match=rf"{key} in .*000001.tar: 0.jpg is not an image .*dvc checkout"):
        list(evaluation_batches(split, input_size=(32, 24), batch_size=4))


def test_reading_metadata_alone_refuses_a_shard_that_is_cut_short(split: Path) -> None:
    cut(split, 3, records=6)

    with pytest.raises(Refusal, match=r"000003.tar: the shard is cut short"):
        list(read_samples(split))


def test_spares_are_places_of_the_split_and_each_bad_record_has_its_own() -> None:
    counts = [3, 1, 5]

    drawn = [list(spare_places(counts, seed=0, epoch=1, shard=0, place=place)) for place in (0, 1)]

    assert drawn[0] != drawn[1]
    assert {len(spares) for spares in drawn} == {SPARES}
    assert {spare for spares in drawn for spare in spares} == {
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        *((2, n) for n in range(5)),
    }
