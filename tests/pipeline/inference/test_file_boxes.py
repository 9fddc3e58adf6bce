import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.inference.boxes import FileBoxes, boxes_of, read_entries
from pipeline.inference.footage import Footage
from pipeline.refusal import Refusal


def images(name: str = "003418_mpii_test", count: int = 4) -> Footage:
    files = tuple(Path(name, f"{position:06d}.jpg") for position in range(count))
    return Footage(name=name, video=None, images=files, fps=25.0, count=count)


def video(count: int = 4) -> Footage:
    return Footage(name="walk", video=Path("walk.mp4"), images=(), fps=25.0, count=count)


def read(path: Path, value: Any, footage: Footage, *, min_score: float = 0.0, is_only: bool = True) -> FileBoxes:
    path.write_text(json.dumps(value))
    return boxes_of(footage, read_entries(path), min_score=min_score, path=path, is_only=is_only)


def posetrack18(*people: dict[str, Any], folder: str = "images/val/003418_mpii_test") -> dict[str, Any]:
    frames = [{"id": 7 + position, "file_name": f"{folder}/{position:06d}.jpg"} for position in range(4)]
    blank = {"image_id": 7, "track_id": 0, "keypoints": [0, 0, 0] * 2, "bbox": [10, 20, 30, 40]}
    category = {"name": "person", "keypoints": ["nose", "head_top"]}
    return {"images": frames, "annotations": [{**blank, **one} for one in people], "categories": [category]}


def test_posetrack18s_people_keep_their_tracks(tmp_path: Path) -> None:
    document = posetrack18({"image_id": 8, "track_id": 5}, {"image_id": 10, "track_id": 3})

    boxes = read(tmp_path / "boxes.json", document, images())

    assert boxes.is_tracked
    assert {at: [one.track_id for one in found] for at, found in boxes.by_position.items()} == {1: [5], 3: [3]}
    assert boxes.by_position[1][0].bbox == (10.0, 20.0, 40.0, 60.0)


def test_without_a_bbox_the_keypoints_make_one(tmp_path: Path) -> None:
    document = posetrack18({"bbox": None, "keypoints": [10.0, 20.0, 1, 30.0, 60.0, 1]})

    boxes = read(tmp_path / "boxes.json", document, images())

    assert boxes.by_position[0][0].bbox == pytest.approx((7.0, 14.0, 33.0, 66.0))  # grown by 15 %


@pytest.mark.parametrize(
    "named",
    [{"image_id": 10034180002}, {"image_name": "images/val/003418_mpii_test/000002.jpg"}],
    ids=["mmpose", "poseWarper"],
)
def test_detections_are_found_by_either_schema_and_have_no_tracks(tmp_path: Path, named: dict[str, Any]) -> None:
    boxes = read(tmp_path / "boxes.json", [{**named, "bbox": [1, 2, 3, 4], "score": 0.5}], images())

    (found,) = boxes.by_position[2]
    assert (found.bbox, found.score, found.track_id) == ((1.0, 2.0, 4.0, 6.0), 0.5, None)
    assert not boxes.is_tracked


def test_frames_of_a_video_are_counted_from_0(tmp_path: Path) -> None:
    boxes = read(tmp_path / "boxes.json", [{"image_id": 3, "bbox": [1, 2, 3, 4], "score": 1.0}], video())

    assert set(boxes.by_position) == {3}


def test_of_a_file_with_many_videos_only_the_footages_own_counts(tmp_path: Path) -> None:
    detections = [
        {"image_id": image_id, "bbox": [1, 2, 3, 4], "score": 1.0}
        for image_id in (10034180001, 10999990001, 10999990002)
    ]

    boxes = read(tmp_path / "boxes.json", detections, images())

    assert (set(boxes.by_position), boxes.counts) == ({1}, {"used": 1})


def test_what_is_left_out_is_counted_by_reason(tmp_path: Path) -> None:
    blank = {"image_id": 0, "bbox": [1, 2, 3, 4], "score": 1.0}
    detections = [
        blank,
        {**blank, "category_id": 2},
        {**blank, "score": 0.1},
        {**blank, "image_id": 4},
        {**blank, "bbox": [1, 2, 0.5, 4]},
        {**blank, "bbox": [1, 2, -3, 4]},
    ]

    boxes = read(tmp_path / "boxes.json", detections, video(), min_score=0.2)

    assert boxes.counts == {
        "used": 1,
        "no person": 1,
        "score too low": 1,
        "in frames that there are not": 1,
        "without area": 2,
    }


def test_boxes_of_other_frames_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"got boxes in 009999/1, wanted some in the frames of .*003418_mpii_test/000000"):
        read(
            tmp_path / "boxes.json",
            [{"image_id": 10099990001, "bbox": [1, 2, 3, 4], "score": 1.0}] * 2,
            images(count=1),
        )


def test_one_videos_boxes_are_not_put_onto_another(tmp_path: Path) -> None:
    path, document = tmp_path / "boxes.json", posetrack18({})

    assert set(read(path, document, images()).by_position) == {0}
    assert set(read(path, document, video()).by_position) == {0}
    assert set(read(path, document, images(), is_only=False).by_position) == {0}
    with pytest.raises(Refusal, match=r"got boxes in 003418_mpii_test/000000, wanted some in the frames of walk\.mp4"):
        read(path, document, video(), is_only=False)


@pytest.mark.parametrize("named", [{"image_id": 2}, {"image_name": "000002.jpg"}], ids=["number", "name"])
def test_boxes_that_do_not_say_of_which_video_are_put_onto_an_only_one(tmp_path: Path, named: dict[str, Any]) -> None:
    path, detections = tmp_path / "boxes.json", [{**named, "bbox": [1, 2, 3, 4], "score": 1.0}]

    assert set(read(path, detections, video()).by_position) == {2}
    with pytest.raises(
        Refusal, match="got boxes that do not say of which video, wanted one video; predict them one by"
    ):
        read(path, detections, video(), is_only=False)


def test_no_boxes_at_all_are_a_video_with_nobody(tmp_path: Path) -> None:
    assert read(tmp_path / "boxes.json", [], video()).by_position == {}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([{"bbox": [1, 2, 3, 4], "score": 1.0}], "got neither image_id nor image_name"),
        ([{"image_id": 1, "bbox": [1, 2, 3], "score": 1.0}], r"0\.bbox"),
        (posetrack18({"track_id": 1}, {"track_id": 1}), "got track_id 1 twice"),
        ({"images": []}, "annotations"),
    ],
)
def test_files_that_say_something_else_are_refused(tmp_path: Path, value: Any, told: str) -> None:
    with pytest.raises(Refusal, match=told):
        read(tmp_path / "boxes.json", value, images())


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="no such file, wanted boxes"):
        read_entries(tmp_path / "boxes.json")
