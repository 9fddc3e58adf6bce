import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from dsn.skeleton import POSETRACK
from pipeline.artifacts import read_json
from pipeline.posetrack.index import PrepareConfig, build_index, prepare, read_index
from pipeline.refusal import Refusal
from tests.world.checks import check_config

CONFIG = PrepareConfig(select_share=0.25, window=5, seed=0, checks=check_config())


def types(path: Path) -> dict[str, str]:
    return {field.name: str(field.type) for field in pq.read_schema(path)}


def test_the_tables_have_their_columns_and_types(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "index"
    prepare(tree, out, CONFIG)

    assert types(out / "videos.parquet") == {
        "video": "string",
        "split": "string",
        "frames": "int64",
        "labeled_frames": "int64",
        "height": "int64",
        "width": "int64",
    }
    assert types(out / "frames.parquet") == {
        "video": "string",
        "frame": "int64",
        "frame_id": "int64",
        "file": "string",
        "is_labeled": "bool",
        "split": "string",
        "height": "int64",
        "width": "int64",
    }
    people = types(out / "people.parquet")
    numbers = ["frame", "frame_id", "person", "track_id", "person_id"]
    assert list(people) == ["video", *numbers, "bbox", "head_bbox", "keypoints", "occluded", "score"]
    assert people["bbox"] == people["head_bbox"] == "fixed_size_list<element: float>[4]"
    assert people["keypoints"] == "fixed_size_list<element: float>[51]"
    assert {people[name] for name in numbers} == {"int64"}


def test_what_is_written_is_read_again(tree: Path, tmp_path: Path) -> None:
    prepare(tree, tmp_path / "index", CONFIG)
    index, _ = build_index(tree, CONFIG)

    again = read_index(tmp_path / "index")

    assert again.skeleton == POSETRACK
    assert again.frames.to_dict("list") == index.frames.to_dict("list")
    assert again.videos.to_dict("list") == index.videos.to_dict("list")
    for name in ("bbox", "keypoints"):
        assert np.array_equal(np.stack(again.people[name].tolist()), np.stack(index.people[name].tolist()))


def test_the_values_are_those_of_the_files(tree: Path) -> None:
    index, _ = build_index(tree, CONFIG)

    frame = index.frames[index.frames["video"] == "000009_bonn_test"].iloc[3]
    assert frame.to_dict() == {
        "video": "000009_bonn_test",
        "frame": 3,
        "frame_id": 10_000_090_003,
        "file": "images/val/000009_bonn_test/000003.jpg",
        "is_labeled": True,
        "split": "val",
        "height": 48,
        "width": 64,
    }
    person = index.people[(index.people["frame_id"] == 10_000_090_003) & (index.people["person"] == 1)].iloc[0]
    assert person["track_id"] == 1
    assert person["bbox"].tolist() == [8, 15, 28, 45]
    assert person["head_bbox"].tolist() == [10, 20, 13, 24]
    assert person["keypoints"][:3].tolist() == [10, 20, 1]
    video = index.videos[index.videos["video"] == "000009_bonn_test"].iloc[0]
    assert video.to_dict() == {
        "video": "000009_bonn_test",
        "split": "val",
        "frames": 5,
        "labeled_frames": 5,
        "height": 48,
        "width": 64,
    }


def test_an_absent_head_bbox_is_nan(
    tree: Path, make_document: Callable[..., dict[str, Any]], write_video: Callable[..., Path]
) -> None:
    content = make_document("000008_bonn_test", "val", 1)
    del content["annotations"][0]["bbox_head"]
    write_video(tree, "val", "000008_bonn_test", content)

    index, _ = build_index(tree, CONFIG)

    head = index.people[index.people["video"] == "000008_bonn_test"]["head_bbox"].iloc[0]
    assert all(math.isnan(value) for value in head)


def test_the_same_tree_gives_the_same_bytes(tree: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        prepare(tree, tmp_path / name, CONFIG)

    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert [str(file) for file in files] == [
        "checks.json",
        "frames.parquet",
        "people.parquet",
        "skeleton.json",
        "truth/val/000009_bonn_test.json",
        "videos.parquet",
    ]
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)


def test_the_truth_is_copied_byte_for_byte(tree: Path, tmp_path: Path) -> None:
    prepare(tree, tmp_path / "index", CONFIG)

    name = "000009_bonn_test.json"
    truth = (tmp_path / "index/truth/val" / name).read_bytes()
    assert truth == (tree / "posetrack_data/annotations/val" / name).read_bytes()


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"got no index, .* run stage prepare"):
        read_index(tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"select_share": 0.0}, "select_share: got 0.0"),
        ({"window": 0}, "window: got 0"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, Any], told: str) -> None:
    settings: dict[str, Any] = {"select_share": 0.2, "window": 5, "seed": 0, "checks": check_config()}

    with pytest.raises(ValueError, match=told):
        PrepareConfig(**(settings | change))


def test_the_real_sample_is_indexed_whole(posetrack_sample: Path, tmp_path: Path) -> None:
    prepare(posetrack_sample, tmp_path, CONFIG)

    index, checks = read_index(tmp_path), read_json(tmp_path / "checks.json")
    assert index.videos[["video", "frames"]].to_numpy().tolist() == [
        ["470979_bonn_train", 24],
        ["003418_mpii_test", 1],
        ["009473_mpii_test", 1],
        ["012834_mpii_test", 1],
        ["470980_bonn_test", 17],
    ]
    assert (len(index.frames), len(index.people)) == (44, 96 + 1 + 2 + 11 + 68)
    assert checks["left_out"] == []
    assert checks["odd"]["videos_whose_nframes_differs"] == 3
    assert checks["splits"]["select"]["frames"] == checks["splits"]["gap"]["frames"] == 5
    assert checks["holdout"]["videos"] == ["470979_bonn_train"]
