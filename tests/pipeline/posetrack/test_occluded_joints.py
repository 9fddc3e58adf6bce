"""Which labelled joints are hidden, where a format says so; labels and ground truth stay as they are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dsn.skeleton import POSETRACK
from pipeline.posetrack.annotations import Person
from pipeline.posetrack.index import PrepareConfig, build_index, read_index, write_index
from pipeline.posetrack.sources import find_source, read_videos
from tests.world import formats
from tests.world.checks import check_config

CONFIG = PrepareConfig(select_share=0.25, window=5, seed=0, checks=check_config())


def people(root: Path) -> list[Person]:
    return [person for video in read_videos(find_source(root), "train") for person in video.people]


def edit(root: Path, change: Any) -> None:
    """Apply a change to the content of every annotation file."""
    for path in root.rglob("*.json"):
        content = json.loads(path.read_text())
        if "joints" not in content:
            change(content)
            path.write_text(json.dumps(content))


def told(found: list[Person]) -> set[bool | None]:
    """What is said of labelled joints; of the others nothing may be."""
    labelled = [
        (hidden, v > 0) for person in found for hidden, v in zip(person.occluded, person.keypoints[:, 2], strict=True)
    ]
    assert {hidden for hidden, is_labelled in labelled if not is_labelled} <= {None}
    return {hidden for hidden, is_labelled in labelled if is_labelled}


def test_posetrack18_and_merged_lists_say_nothing_of_occlusion(small: Path, tmp_path: Path) -> None:
    assert told(people(small)) == {None}
    assert told(people(formats.mmpose_list(small, tmp_path / "mmpose"))) == {None}
    assert told(people(formats.detect_and_track_list(small, tmp_path / "detect_and_track"))) == {None}


def test_posetrack21_says_it_by_x_and_y_beside_v_0(small: Path, tmp_path: Path) -> None:
    found = people(formats.posetrack21(small, tmp_path / "21", hidden=True))

    assert told(found) == {False, True}
    for person in found:
        hidden = [joint for joint, is_hidden in enumerate(person.occluded) if is_hidden]
        assert hidden == [joint for joint in (9, 10) if person.keypoints[joint, 2] > 0]


@pytest.mark.parametrize(
    ("value", "hidden"),
    [([1], False), ([0], True), (["0"], True), ([], None), ([""], None), (None, None), ([0.0], True), ([2], None)],
)
def test_posetrack17_says_it_of_each_point(value: Any, *, hidden: bool | None, small: Path, tmp_path: Path) -> None:
    root = formats.posetrack17(small, tmp_path / "17")

    def change(content: dict[str, Any]) -> None:
        points = [
            point
            for frame in content["annolist"]
            for rect in frame["annorect"]
            for entry in rect["annopoints"]
            for point in entry["point"]
        ]
        for point in points:
            point["is_visible"] = value

    edit(root, change)

    assert told(people(root)) == {hidden}


def test_mat_files_say_it_too(small: Path, tmp_path: Path) -> None:
    assert told(people(formats.posetrack17_mat(small, tmp_path / "mat"))) == {False}


def test_own_data_says_it_by_v_as_coco_does(small: Path, tmp_path: Path) -> None:
    root = formats.own(small, tmp_path / "own")

    def change(content: dict[str, Any]) -> None:
        for person in content["annotations"]:
            person["keypoints"][5] = min(1, person["keypoints"][5])

    edit(root, change)
    found = people(root)

    assert told(found) == {False, True}
    for person in found:
        assert person.occluded[1] == (True if person.keypoints[1, 2] > 0 else None)
        assert set(person.keypoints[:, 2].tolist()) <= {0.0, 1.0}


def test_own_data_whose_v_is_never_2_says_nothing(small: Path, tmp_path: Path) -> None:
    root = formats.own(small, tmp_path / "own")

    def change(content: dict[str, Any]) -> None:
        for person in content["annotations"]:
            person["keypoints"] = np.minimum(person["keypoints"], [1e9, 1e9, 1] * 5).tolist()

    edit(root, change)

    assert told(people(root)) == {None}


def test_the_index_keeps_it_beside_keypoints_that_stay_the_same(drawn_world: Path, tmp_path: Path) -> None:
    plain, _ = build_index(drawn_world, CONFIG)
    index, checks = build_index(formats.posetrack21(drawn_world, tmp_path / "21", hidden=True), CONFIG)
    write_index(index, tmp_path / "index")

    read = read_index(tmp_path / "index").people
    table = pd.read_parquet(tmp_path / "index" / "people.parquet")
    for keypoints, wanted in zip(read["keypoints"], plain.people["keypoints"], strict=True):
        assert np.array_equal(keypoints, wanted)
    rows = [list(row) for row in table["occluded"]]
    assert rows == [list(person) for person in index.people["occluded"]]
    assert {len(row) for row in rows} == {len(POSETRACK.joints)}
    hidden = sum(row.count(True) for row in rows)
    assert hidden == sum(split["occluded_joints"] for split in checks["splits"].values()) > 0
