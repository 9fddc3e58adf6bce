import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.posetrack.checks import check_root
from pipeline.posetrack.index import PrepareConfig, build_index, prepare
from pipeline.refusal import Refusal
from tests.world.checks import check_config

Document = dict[str, Any]
CONFIG = PrepareConfig(select_share=0.25, window=5, seed=0, checks=check_config())
LENIENT = PrepareConfig(select_share=0.25, window=5, seed=0, checks=check_config(max_bad_share=1.0))
VAL = "posetrack_data/annotations/val/000009_bonn_test.json"
FIRST = 10_000_090_000


def edit_val(root: Path, change: Callable[[Document], Any]) -> None:
    path = root / VAL
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def left_out(root: Path) -> dict[str, int]:
    _, checks = build_index(root, LENIENT)
    return {item["reason"]: item["count"] for item in checks["left_out"]}


def test_a_sound_tree_has_nothing_left_out(tree: Path) -> None:
    index, checks = build_index(tree, CONFIG)

    assert checks["left_out"] == []
    assert checks["bad_share"] == {"frame": 0.0, "person": 0.0}
    assert checks["annotation_files"] == {"train": 4, "val": 1}
    assert checks["holdout"]["rule"] == "videos"
    assert checks["splits"]["val"] == {
        "videos": 1,
        "frames": 5,
        "labeled_frames": 5,
        "people": 10,
        "labeled_people": 10,
        "labeled_joints": 150,
        "occluded_joints": 0,
    }
    assert checks["splits"]["train"]["videos"] == 3
    assert checks["splits"]["select"]["videos"] == 1
    assert checks["splits"]["gap"]["frames"] == 0
    assert len(index.people) == 4 * 6 * 2 + 10


def test_frames_without_a_readable_image_go_and_their_people_with_them(tree: Path) -> None:
    images = tree / "images/val/000009_bonn_test"
    (images / "000001.jpg").unlink()
    (images / "000002.jpg").write_bytes(b"")
    (images / "000003.jpg").write_bytes(b"not a picture")

    index, checks = build_index(tree, LENIENT)

    assert left_out(tree) == {
        "image is empty": 1,
        "image is missing": 1,
        "image is unreadable": 1,
        "its frame was left out": 6,
    }
    assert checks["left_out"][1]["examples"] == ["images/val/000009_bonn_test/000001.jpg"]
    assert index.frames[index.frames["split"] == "val"]["frame"].tolist() == [0, 4]
    assert checks["bad_share"] == {"frame": 3 / 29, "person": 6 / 58}


def test_people_are_left_out_each_with_a_reason(tree: Path) -> None:
    def spoil(content: Document) -> None:
        people = content["annotations"]
        people[0]["image_id"] = 77
        people[1]["track_id"] = people[2]["track_id"] = 5
        people[2]["image_id"] = people[1]["image_id"]
        people[4] |= {"keypoints": [0] * 51, "bbox": None}
        people[5] |= {"keypoints": [3, 4, 1] + [0] * 48, "bbox": [0, 0, 0, 0]}
        people[6] |= {"bbox": [64, 0, 10, 10]}
        people[7] |= {"bbox": [-10, 0, 10, 10]}

    edit_val(tree, spoil)

    assert left_out(tree) == {
        "bbox has no area": 1,
        "bbox lies outside the frame": 2,
        "image_id is not among the images": 1,
        "neither bbox nor keypoints": 1,
        "track_id twice in a frame": 1,
    }


def test_people_who_show_nothing_are_not_bad(tree: Path) -> None:
    def empty(content: Document) -> None:
        for person in content["annotations"]:
            person |= {"keypoints": [0] * 51, "bbox": None}

    edit_val(tree, empty)
    _, checks = build_index(tree, CONFIG)

    assert checks["bad_share"]["person"] == 0
    assert checks["odd"]["labeled_frames_without_people"] == 5


@pytest.mark.parametrize("place", [0, 99], ids=["before", "behind"])
def test_an_entry_that_shows_nothing_takes_no_track_id_from_one_that_does(tree: Path, place: int) -> None:
    def twin(content: Document) -> None:
        people = content["annotations"]
        people.insert(place, people[0] | {"keypoints": [0] * 51, "bbox": None})

    edit_val(tree, twin)
    index, checks = build_index(tree, CONFIG)

    assert left_out(tree) == {"neither bbox nor keypoints": 1}
    assert checks["bad_share"]["person"] == 0
    assert len(index.people) == 58


def test_a_frame_id_listed_twice_counts_once(tree: Path) -> None:
    edit_val(tree, lambda content: content["images"][1].update(id=FIRST))

    assert left_out(tree) == {"frame id twice in a file": 1, "image_id is not among the images": 2}


def test_odd_but_harmless_records_are_counted(tree: Path) -> None:
    def twist(content: Document) -> None:
        content["images"][0] |= {"nframes": 149, "height": 1080, "width": 1920}
        content["annotations"][0] |= {"id": 7, "bbox": None, "bbox_head": None}
        content["annotations"][1] |= {"id": 7, "keypoints": [63, 47, 1, 64, 40, 1, -1, 3, 1] + [0] * 42}

    edit_val(tree, twist)
    _, checks = build_index(tree, CONFIG)

    assert checks["left_out"] == []
    assert checks["odd"] == {
        "videos_whose_nframes_differs": 1,
        "labeled_frames_without_people": 0,
        "people_without_keypoints": 0,
        "people_without_head_bbox": 1,
        "bboxes_made_from_keypoints": 1,
        "annotation_ids_repeated": 1,
        "images_listed_twice_in_a_video": 0,
        "tracks_that_jump": 0,
        "people_with_joints_outside_the_frame": 1,
        "frames_whose_stated_size_differs": 1,
        "frames_of_another_size_than_the_first": 0,
        "videos_of_val_with_training_footage": 0,
        "videos_that_share_footage": 0,
    }


def test_beyond_the_share_the_dataset_is_refused_and_nothing_written(tree: Path) -> None:
    for image in (tree / "images/val/000009_bonn_test").iterdir():
        image.unlink()

    with pytest.raises(
        Refusal, match=r"17.2 % of its records are bad, wanted at most 5 %; mostly .*checks.max_bad_share"
    ):
        prepare(tree, tree / "out", CONFIG)

    assert not (tree / "out").exists()


def test_a_missing_root_is_refused_in_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refusal:
        check_root(tmp_path / "nowhere")

    message = str(refusal.value)
    assert f"{tmp_path}/nowhere: no such folder" in message
    assert "posetrack_data/annotations/{train,val}/*.json" in message
    assert "`data.root` in params.yaml" in message
    assert "\n" not in message


def test_a_root_without_annotations_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()

    with pytest.raises(Refusal, match="got no annotations in it, only images"):
        check_root(tmp_path)


def test_a_root_without_val_is_refused(tree: Path) -> None:
    (tree / VAL).unlink()

    with pytest.raises(Refusal, match=r"annotations/val: got no annotation files"):
        check_root(tree)


def test_a_root_without_images_is_refused(tree: Path) -> None:
    (tree / "images").rename(tree / "pictures")

    with pytest.raises(Refusal, match="none of its 6 images exists"):
        check_root(tree)


def test_a_quick_look_reads_the_first_files(tree: Path) -> None:
    check_root(tree)
    (tree / VAL).write_text("[]")

    with pytest.raises(Refusal, match=r"000009_bonn_test.json: the file"):
        check_root(tree)


def test_a_video_in_both_splits_is_refused(
    tree: Path, make_document: Callable[..., Document], write_video: Callable[..., Path]
) -> None:
    write_video(tree, "val", "000001_mpii_train", make_document("000001_mpii_train", "val", 1))

    with pytest.raises(Refusal, match=r"\['000001_mpii_train'\] are in train and in val"):
        build_index(tree, CONFIG)


def test_a_bbox_that_reaches_far_beyond_the_frame_is_left_out(tree: Path) -> None:
    def stretch(content: Document) -> None:
        content["annotations"][0]["bbox"] = [0, 0, 64 * 1.5, 10]
        content["annotations"][1]["bbox"] = [0, 0, 64 * 1.5 + 1, 10]
        content["annotations"][2]["bbox"] = [-5e5, 0, 1e6, 10]

    edit_val(tree, stretch)
    _, checks = build_index(tree, LENIENT)

    assert left_out(tree) == {"bbox reaches far outside the frame": 2}
    assert [case["where"].partition("track ")[2] for case in checks["cases"]] == [
        "0, bbox -500000, 0, 500000, 10",
        "1, bbox 0, 0, 97, 10",
    ]


def test_a_frame_that_was_cut_short_is_left_out(tree: Path) -> None:
    image = tree / "images/val/000009_bonn_test/000001.jpg"
    image.write_bytes(image.read_bytes()[:-30])

    assert left_out(tree) == {"image is cut short": 1, "its frame was left out": 2}


def test_a_frame_of_another_size_than_its_video_is_odd(tree: Path) -> None:
    cv2.imwrite(str(tree / "images/val/000009_bonn_test/000003.jpg"), np.zeros((50, 64, 3), dtype=np.uint8))

    _, checks = build_index(tree, CONFIG)

    assert checks["odd"]["frames_of_another_size_than_the_first"] == 1
    assert [(case["where"], case["shots"][0]["file"]) for case in checks["cases"]] == [
        (
            "images/val/000009_bonn_test/000003.jpg: got 50 x 64, wanted 48 x 64",
            "images/val/000009_bonn_test/000003.jpg",
        )
    ]


def test_five_cases_of_a_reason_are_kept_and_all_are_counted(tree: Path) -> None:
    def jump(content: Document) -> None:
        for person in content["annotations"]:
            person["bbox"] = [30 * (person["image_id"] % 2), 0, 10 + person["track_id"], 10]

    for name in ("000001_mpii_train", "000002_mpii_train"):
        path = tree / f"posetrack_data/annotations/train/{name}.json"
        content = json.loads(path.read_text())
        jump(content)
        path.write_text(json.dumps(content))
    _, checks = build_index(tree, CONFIG)

    assert checks["odd"]["tracks_that_jump"] == 2 * 2 * 5
    assert [case["reason"] for case in checks["cases"]] == ["tracks_that_jump"] * 5
    assert {case["badness"] for case in checks["cases"]} == {3.0}


def test_joints_that_the_skeleton_does_not_have_are_named(tree: Path) -> None:
    edit_val(tree, lambda content: content["categories"][0]["keypoints"].__setitem__(3, "left_horn"))

    assert build_index(tree, CONFIG)[1]["unknown_joints"] == {"left_horn": 1}


@pytest.mark.parametrize(("key", "value"), [("max_bad_share", 1.5), ("max_leaked_share", -0.1), ("jump", 0.0)])
def test_impossible_limits_are_refused(key: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{key}: got {value}"):
        check_config(**{key: value})
