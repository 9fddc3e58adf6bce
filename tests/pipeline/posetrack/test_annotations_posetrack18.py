import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsn.skeleton import POSETRACK
from pipeline.posetrack.annotations import Video, extent
from pipeline.posetrack.coco import read_document, to_video, whole
from pipeline.posetrack.sources import find_source
from pipeline.refusal import Refusal

Document = dict[str, Any]
NAME = "000001_mpii_train"
FIRST = 10_000_010_000


def read_video(path: Path) -> Video:
    part = whole(read_document(path), path.stem)
    return to_video(part, path, split="train", skeleton=POSETRACK, v_means="labelled")


@pytest.fixture
def read(tmp_path: Path) -> Callable[[Document], Video]:
    def read(content: Document) -> Video:
        path = tmp_path / f"{NAME}.json"
        path.write_text(json.dumps(content))
        return read_video(path)

    return read


@pytest.fixture
def content(make_document: Callable[..., Document]) -> Document:
    return make_document(NAME, "train", 2)


def test_joints_are_found_by_name_whatever_their_order(read: Callable[[Document], Video], content: Document) -> None:
    table = np.reshape(content["annotations"][0]["keypoints"], (17, 3))
    content["categories"][0]["keypoints"] = list(POSETRACK.joints[::-1])
    content["annotations"][0]["keypoints"] = table[::-1].ravel().tolist()

    keypoints = read(content).people[0].keypoints

    assert np.array_equal(keypoints, table)


def test_a_file_may_leave_out_the_ears_alone(read: Callable[[Document], Video], content: Document) -> None:
    names = [name for name in POSETRACK.joints if not name.endswith("ear")]
    content["categories"][0]["keypoints"] = names
    for annotation in content["annotations"]:
        annotation["keypoints"] = [1.0, 2.0, 1] * 15

    keypoints = read(content).people[0].keypoints

    assert keypoints[[3, 4]].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert keypoints[[0, 16]].tolist() == [[1, 2, 1], [1, 2, 1]]


def test_only_a_positive_third_value_marks_a_labelled_joint(
    read: Callable[[Document], Video], content: Document
) -> None:
    content["annotations"][0]["keypoints"][:9] = [5, 6, 2, 7, 8, 0, 9, 10, 1]

    keypoints = read(content).people[0].keypoints

    assert keypoints[:3].tolist() == [[5, 6, 1], [0, 0, 0], [9, 10, 1]]


def test_bboxes_become_corners(read: Callable[[Document], Video], content: Document) -> None:
    person = read(content).people[0]

    assert (person.bbox, person.head_bbox) == ((8, 15, 28, 45), (10, 20, 13, 24))
    assert person.has_own_bbox


@pytest.mark.parametrize("bbox", [None, [], [0, 0, 0, 0], [5, 5, 10, 0]])
def test_without_an_area_the_bbox_is_the_keypoints_extent_grown_by_15_percent(
    bbox: list[float] | None, read: Callable[[Document], Video], content: Document
) -> None:
    content["annotations"][0] |= {"bbox": bbox, "keypoints": [10, 100, 1, 30, 140, 1] + [0] * 45}

    person = read(content).people[0]

    assert person.bbox == pytest.approx((7, 94, 33, 146))
    assert not person.has_own_bbox


def test_a_real_bbox_is_its_keypoints_extent(posetrack_sample: Path) -> None:
    path = posetrack_sample / "posetrack_data/annotations/val/003418_mpii_test.json"
    person = read_video(path).people[0]

    assert person.bbox == extent(person.keypoints)


def test_people_with_neither_bbox_nor_keypoints_have_no_bbox(
    read: Callable[[Document], Video], content: Document
) -> None:
    content["annotations"][0] |= {"keypoints": [0] * 51}
    del content["annotations"][0]["bbox"], content["annotations"][0]["bbox_head"]

    person = read(content).people[0]

    assert person.bbox is None
    assert person.head_bbox is None


@pytest.mark.parametrize(
    ("flag", "is_annotated", "expected"),
    [(True, False, True), (False, True, True), (False, False, False), (None, True, True), (None, False, False)],
)
def test_a_frame_is_labelled_by_its_flag_or_its_annotations(
    read: Callable[[Document], Video], content: Document, *, flag: bool | None, is_annotated: bool, expected: bool
) -> None:
    content["images"][0]["is_labeled"] = flag
    if not is_annotated:
        content["annotations"] = content["annotations"][1:]

    assert read(content).frames[0].is_labeled is expected


def test_ids_beyond_31_bits_are_read_not_computed(read: Callable[[Document], Video], content: Document) -> None:
    content["images"][1]["id"] = 20_000_019_999
    content["annotations"][1]["image_id"] = 20_000_019_999

    video = read(content)

    assert [frame.frame_id for frame in video.frames] == [FIRST, 20_000_019_999]
    assert [person.frame_id for person in video.people] == [FIRST, 20_000_019_999]


def test_nframes_may_differ_from_the_frames_listed(read: Callable[[Document], Video], content: Document) -> None:
    content["images"][0]["nframes"] = 149

    video = read(content)

    assert (video.nframes, len(video.frames)) == (149, 2)


def _drop(part: str, key: str) -> Callable[[Document], Any]:
    return lambda content: content[part][0].pop(key)


def _set(part: str, key: str, value: Any) -> Callable[[Document], Any]:
    return lambda content: content[part][0].update({key: value})


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_drop("images", "file_name"), "images.0.file_name: field required"),
        (_drop("images", "id"), "images.0.id"),
        (_set("images", "id", "10000"), "images.0.id: input should be a valid integer, got '10000'"),
        (_drop("annotations", "track_id"), "annotations.0.track_id: field required"),
        (_set("annotations", "keypoints", [1.0] * 50), "annotations.0.keypoints: got 50 numbers, wanted 51"),
        (_set("annotations", "keypoints", ["x"] * 51), "annotations.0.keypoints.0"),
        (_set("annotations", "bbox", [1, 2, 3]), r"annotations.0.bbox: got 3 numbers"),
        (_set("annotations", "bbox_head", [1, 2, 3]), r"annotations.0.bbox_head: got 3 numbers"),
        (_set("categories", "name", "dog"), r"categories: got \['dog'\], wanted exactly one, named person"),
        (_set("categories", "keypoints", ["nose"]), r"categories.0.keypoints: joints \['head_bottom'"),
        (_set("images", "file_name", "/etc/passwd"), "images.0.file_name: .* stays below"),
        (_set("images", "file_name", "images/../../x.jpg"), "images.0.file_name: .* stays below"),
        (lambda content: content.pop("categories"), "categories: field required"),
    ],
)
def test_a_malformed_file_is_refused_by_name_and_field(
    spoil: Callable[[Document], Any], told: str, read: Callable[[Document], Video], content: Document
) -> None:
    spoil(content)

    with pytest.raises(Refusal, match=f"{NAME}.json: {told}"):
        read(content)


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.json"
    path.write_text('{"images": [')

    with pytest.raises(Refusal, match=f"{NAME}.json: the file: invalid JSON"):
        read_video(path)


def test_a_video_name_that_would_split_keys_is_refused(tmp_path: Path, content: Document) -> None:
    path = tmp_path / "a.b.json"
    path.write_text(json.dumps(content))

    with pytest.raises(Refusal, match=r"a\.b\.json: a video's name makes keys: got 'a\.b'"):
        read_video(path)


@pytest.mark.parametrize("labels", ["posetrack_data/annotations", "annotations"])
def test_both_label_layouts_are_found_in_order_of_name(
    labels: str, tmp_path: Path, make_document: Callable[..., Document], write_video: Callable[..., Path]
) -> None:
    for name in ("000002_mpii_train", "000001_mpii_train"):
        write_video(tmp_path, "train", name, make_document(name, "train", 1), labels=labels)

    found = find_source(tmp_path).files("train")

    assert [path.stem for path in found] == ["000001_mpii_train", "000002_mpii_train"]
    assert found[0].parent == tmp_path / labels / "train"
