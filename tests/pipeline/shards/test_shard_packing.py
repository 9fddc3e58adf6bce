import tarfile
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from webdataset.tariterators import group_by_keys, tar_file_expander

from dsn.skeleton import POSETRACK
from pipeline.artifacts import sha256
from pipeline.posetrack.index import Index, PrepareConfig, build_index, read_index, write_index
from pipeline.refusal import Refusal
from pipeline.shards.manifest import read_manifest
from pipeline.shards.pack import pack_splits
from pipeline.shards.recipe import Recipe
from pipeline.shards.sample import from_json
from tests.world.checks import check_config


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def backwards_in_threads(function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterable[Any]:
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(function, task) for task in reversed(list(tasks))]
        return [future.result() for future in futures]


def test_the_bytes_do_not_depend_on_who_packs_in_which_order(
    index: Index, tmp_path: Path, make_recipe: Callable[..., Recipe]
) -> None:
    pack_splits(index, tmp_path, tmp_path / "one", make_recipe(), run=map)
    pack_splits(index, tmp_path, tmp_path / "two", make_recipe(), run=backwards_in_threads)

    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_the_bytes_do_not_depend_on_the_order_of_the_indexs_rows_or_how_they_are_stored(
    index: Index, tmp_path: Path, make_recipe: Callable[..., Recipe]
) -> None:
    rng = np.random.default_rng(0)
    frames, people = (table.iloc[rng.permutation(len(table))] for table in (index.frames, index.people))
    mixed = replace(index, frames=frames.reset_index(drop=True), people=people.reset_index(drop=True))
    write_index(index, tmp_path / "index")

    for name, given in {"plain": index, "mixed": mixed, "stored": read_index(tmp_path / "index")}.items():
        pack_splits(given, tmp_path, tmp_path / name, make_recipe(), run=map)

    assert contents(tmp_path / "mixed") == contents(tmp_path / "plain")
    assert contents(tmp_path / "stored") == contents(tmp_path / "plain")


def test_packing_again_replaces_and_leaves_nothing_behind(
    index: Index, tmp_path: Path, make_recipe: Callable[..., Recipe]
) -> None:
    out = tmp_path / "shards"
    pack_splits(index, tmp_path, out, make_recipe(min_shards=9), run=map)
    pack_splits(index, tmp_path, out, make_recipe(), run=map)

    assert sorted(path.name for path in out.iterdir()) == ["select", "train", "val"]
    shards = [f"00000{n}.tar" for n in range(4)]
    assert sorted(path.name for path in (out / "train").iterdir()) == [*shards, "manifest.json"]


def test_every_labelled_person_is_packed_once(packed: Path) -> None:
    for split, videos in (("train", (1, 2)), ("select", (3,)), ("val", (4, 5))):
        letter = "b" if split == "val" else "a"
        wanted = [f"00000{v}_{letter}-{f:06d}-{p:03d}" for v in videos for f in range(7) for p in range(2)]
        keys = [sample["__key__"] for sample in webdataset_samples(packed / split)]
        assert sorted(keys) == wanted
        assert (keys == wanted) is (split == "val")


def webdataset_samples(folder: Path) -> list[dict[str, Any]]:
    samples = []
    for path in sorted(folder.glob("*.tar")):
        with path.open("rb") as stream:
            members = tar_file_expander([{"url": path.name, "stream": stream}])
            samples += list(group_by_keys(members))
    return samples


def test_webdataset_reads_whole_samples(packed: Path) -> None:
    samples = webdataset_samples(packed / "train")

    assert len(samples) == 28
    for sample in samples:
        assert {"0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg", "json"} <= set(sample)
        assert from_json(sample["json"]).key == sample["__key__"]


def decoded(data: bytes) -> NDArray[np.int64]:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.astype(np.int64)


def test_each_stored_crop_shows_the_frame_it_says(packed: Path) -> None:
    for sample in webdataset_samples(packed / "val"):
        greys = [decoded(sample[f"{time}.jpg"])[24, 20, 0] for time in range(5)]
        expected = [20 + 30 * frame for frame in from_json(sample["json"]).frames_used]
        assert greys == pytest.approx(expected, abs=2)


def test_every_frame_is_decoded_once_however_many_clips_use_it(
    index: Index, tmp_path: Path, make_recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: Counter[int] = Counter()
    decode = cv2.imdecode

    def counting(data: Any, flags: int) -> Any:
        image: Any = decode(data, flags)
        seen[int(image[0, 0, 0])] += 1
        return image

    monkeypatch.setattr(cv2, "imdecode", counting)
    packed = pack_splits(index, tmp_path, tmp_path / "shards", make_recipe(), run=map)

    assert seen == {20 + 30 * frame: 5 for frame in range(7)}
    assert packed.decoded == 5 * 7


def test_a_frame_that_no_clip_uses_is_not_decoded(
    index: Index, tmp_path: Path, make_recipe: Callable[..., Recipe]
) -> None:
    people = index.people
    alone = people[(people["video"] != "000001_a") | (people["frame"] == 0)].reset_index(drop=True)

    packed = pack_splits(replace(index, people=alone), tmp_path, tmp_path / "shards", make_recipe(), run=map)

    assert packed.decoded == 4 * 7 + 3


def test_what_a_killed_run_left_is_cleared_away(
    index: Index, tmp_path: Path, make_recipe: Callable[..., Recipe]
) -> None:
    out = tmp_path / "shards"
    (out / ".spill-old" / "train").mkdir(parents=True)
    (out / ".spill-old" / "train" / ".000000.tar.abc.part").write_bytes(b"half")

    pack_splits(index, tmp_path, out, make_recipe(), run=map)

    assert sorted(path.name for path in out.iterdir()) == ["select", "train", "val"]


def test_tasks_are_made_when_they_are_taken(index: Index, tmp_path: Path, make_recipe: Callable[..., Recipe]) -> None:
    made: list[int] = []

    def one_by_one(function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterable[Any]:
        for number, task in enumerate(tasks):
            made.append(number)
            yield function(task)
            assert made[-1] == number

    pack_splits(index, tmp_path, tmp_path / "shards", make_recipe(), run=one_by_one)

    assert made == [*range(5), *range(4), *range(4), *range(4)]


def test_the_manifest_tells_counts_hashes_and_places(packed: Path, make_recipe: Callable[..., Recipe]) -> None:
    manifest = read_manifest(packed / "train")

    assert (manifest.split, manifest.samples) == ("train", 28)
    assert [shard.samples for shard in manifest.shards] == [7, 7, 7, 7]
    assert (manifest.stored_size, manifest.clip, manifest.keyframe) == ((48, 40), (-2, -1, 0, 1, 2), 2)
    assert manifest.recipe == make_recipe()
    assert manifest.skeleton == POSETRACK
    for shard in manifest.shards:
        path = packed / "train" / shard.name
        assert sha256(path) == shard.sha256
        with tarfile.open(path) as tar:
            starts = [entry.offset for entry in tar.getmembers() if entry.name.endswith(".0.jpg")]
            names = tar.getnames()
        assert [0, *shard.ends[:-1]] == starts
        assert names[0] == f"{shard.first_key}.0.jpg"
        assert names[-1] == f"{shard.last_key}.json"


def test_the_source_digest_changes_with_a_single_frame(
    index: Index, tmp_path: Path, make_recipe: Callable[..., Recipe]
) -> None:
    pack_splits(index, tmp_path, tmp_path / "before", make_recipe(), run=map)
    image = tmp_path / "images/000001_a/000003.png"
    cv2.imwrite(str(image), np.full((60, 80, 3), 7, dtype=np.uint8))
    pack_splits(index, tmp_path, tmp_path / "after", make_recipe(), run=map)

    for split, changes in (("train", True), ("select", False), ("val", False)):
        before, after = (read_manifest(tmp_path / name / split).source_digest for name in ("before", "after"))
        assert (before != after) is changes


def test_a_frame_that_cannot_be_decoded_stops_and_old_shards_stay(
    index: Index, tmp_path: Path, make_recipe: Callable[..., Recipe]
) -> None:
    out = tmp_path / "shards"
    pack_splits(index, tmp_path, out, make_recipe(), run=map)
    before = contents(out)
    (tmp_path / "images/000004_b/000002.png").write_bytes(b"spoilt")

    with pytest.raises(Refusal, match=r"000004_b/000002.png: not an image"):
        pack_splits(index, tmp_path, out, make_recipe(), run=map)

    assert contents(out) == before


def test_one_video_can_serve_train_and_select(index: Index, tmp_path: Path, make_recipe: Callable[..., Recipe]) -> None:
    frames = index.frames
    frames.loc[frames["video"] == "000003_a", "split"] = "train"
    frames.loc[frames["video"] == "000001_a", "split"] = ["train"] + ["gap"] * 5 + ["select"]

    packed = pack_splits(index, tmp_path, tmp_path / "shards", make_recipe(), run=map)

    assert packed.samples == {"train": 2 + 14 + 14, "select": 2, "val": 28}


def test_the_real_sample_is_packed(posetrack_sample: Path, tmp_path: Path, make_recipe: Callable[..., Recipe]) -> None:
    config = PrepareConfig(select_share=0.2, window=5, seed=0, checks=check_config(max_bad_share=0.0))
    index, _ = build_index(posetrack_sample, config)

    packed = pack_splits(index, posetrack_sample, tmp_path, make_recipe(), run=map)

    assert packed.samples == {"train": 14 * 4, "select": 5 * 4, "val": 17 * 4 + 1 + 2 + 11}
    alone = next(s for s in webdataset_samples(tmp_path / "val") if s["__key__"].startswith("003418"))
    assert from_json(alone["json"]).frames_used == (0,) * 5
    assert len({alone[f"{time}.jpg"] for time in range(5)}) == 1
