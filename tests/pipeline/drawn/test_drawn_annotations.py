import numpy as np
import pytest

from pipeline.drawn import annotations


def test_a_frame_id_holds_source_video_and_frame() -> None:
    assert annotations.frame_id(3418, 0) == 10034180000
    assert annotations.frame_id(12834, 57) == 10128340057


def test_validation_videos_carry_test_in_their_names() -> None:
    assert annotations.video_name(7, "train") == "000007_mpii_train"
    assert annotations.video_name(5001, "val") == "005001_mpii_test"


def test_a_bbox_is_the_extent_of_its_keypoints_grown_by_15_percent_on_each_side() -> None:
    points = np.array([[10.0, 100.0], [30.0, 120.0], [20.0, 300.0]])

    assert annotations.grown_bbox(points) == pytest.approx([7.0, 70.0, 26.0, 260.0])


def test_training_videos_are_labelled_in_the_middle() -> None:
    chosen = annotations.labelled_frames(36, middle=30, step=None)

    assert np.flatnonzero(chosen).tolist() == list(range(3, 33))


def test_validation_videos_are_labelled_in_the_middle_and_in_every_fourth_frame() -> None:
    chosen = annotations.labelled_frames(20, middle=6, step=4)

    assert np.flatnonzero(chosen).tolist() == [0, 4, 7, 8, 9, 10, 11, 12, 16]


def test_an_unlabelled_joint_is_three_zeros_and_does_not_stretch_the_bbox() -> None:
    keypoints = np.full((17, 2), np.nan)
    keypoints[[0, 2, 9]] = [[10.0, 20.0], [12.0, 10.0], [500.0, 500.0]]
    known = np.zeros(17, bool)
    known[[0, 2]] = True

    person = annotations.person_entry(
        10000010004,
        3,
        track_id=5,
        keypoints=keypoints,
        is_labelled=known,
        head_bbox=np.array([4.6, 9.4, 18.2, 25.5]),
    )

    assert person == {
        "id": 1000001000403,
        "image_id": 10000010004,
        "category_id": 1,
        "track_id": 5,
        "keypoints": [10.0, 20.0, 1, 0, 0, 0, 12.0, 10.0, 1, *[0] * 42],
        "bbox": pytest.approx([9.7, 8.5, 2.6, 13.0]),
        "bbox_head": [5, 9, 13, 17],
        "scores": [],
    }


def test_the_category_names_posetracks_17_joints_in_order() -> None:
    (category,) = annotations.categories()

    assert category["id"] == 1
    assert category["keypoints"][:5] == ["nose", "head_bottom", "head_top", "left_ear", "right_ear"]
    assert category["keypoints"][-2:] == ["left_ankle", "right_ankle"]
    assert len(category["keypoints"]) == 17
