"""What is wrong with a file is said in one line that names file, frame and field."""

import contextlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.poseval import score_folders
from pipeline.refusal import Refusal
from tests.world.junk import FUZZ, spoiled

Json = dict[str, Any]
Build = Callable[..., Json]
Pose = dict[str, tuple[float, float]]


@pytest.fixture
def sides(person: Build, document: Build, full_pose: Pose) -> tuple[Json, Json]:
    """Two frames with two people each, and perfect predictions."""
    poses = [full_pose, {name: (x, y + 300) for name, (x, y) in full_pose.items()}]
    people = [(frame, track) for frame in range(2) for track in range(2)]
    truth = [person(frame, poses[track], track=track) for frame, track in people]
    found = [person(frame, poses[track], track=track, score=0.9 - frame / 10) for frame, track in people]
    return document(2, truth), document(2, found)


Change = Callable[[Json], Any]
FAULTS: dict[str, tuple[Change, str]] = {
    "frames": (lambda file: file["images"].append(file["images"][0]), "got 3 frames, wanted the 2 of"),
    "order": (lambda file: file["images"].reverse(), "frame 1: images[0].id: 1 stands where"),
    "tracks": (lambda file: file["annotations"][3].update(track_id=0), "frame 1: track_id: got 0 for two people"),
    "track bound": (
        lambda file: file["annotations"][3].update(track_id=10_000),
        "frame 1: annotations[3].track_id: got 10000",
    ),
    "no track": (lambda file: file["annotations"][2].pop("track_id"), "frame 1: annotations[2].track_id: got nothing"),
    "keypoints": (
        lambda file: file["annotations"][2]["keypoints"].pop(),
        "frame 1: keypoints: got 50 numbers, wanted 51",
    ),
    "keypoint": (
        lambda file: file["annotations"][2]["keypoints"].__setitem__(4, None),
        "frame 1: annotations[2].keypoints[4]: got None",
    ),
    "scores": (lambda file: file["annotations"][2]["scores"].pop(), "frame 1: scores: got 16 values, wanted one"),
    "more scores": (
        lambda file: file["annotations"][2]["scores"].append(0.5),
        "frame 1: scores: got 18 values, wanted one for each of 17 joints",
    ),
    "more keypoints": (
        lambda file: file["annotations"][2]["keypoints"].extend([1, 2, 3]),
        "frame 1: keypoints: got 54 numbers, wanted 51",
    ),
    "joint twice": (
        lambda file: file["categories"][0]["keypoints"].__setitem__(3, "nose"),
        "categories[0].keypoints: got ['nose'] more than once",
    ),
    "nan": (lambda file: file["annotations"][2]["scores"].__setitem__(0, math.nan), "frame 1: scores: got nan"),
    "infinite": (
        lambda file: file["annotations"][2]["keypoints"].__setitem__(0, math.inf),
        "frame 1: keypoints: got inf",
    ),
    "frame": (lambda file: file["annotations"][1].update(image_id=7), "frame 7: annotations[1].image_id: no entry"),
    "no images": (lambda file: file.pop("images"), "images: missing"),
    "no categories": (lambda file: file.pop("categories"), "categories: missing"),
    "two categories": (
        lambda file: file["categories"].append(file["categories"][0]),
        "categories: got ['person', 'per",
    ),
    "joint name": (
        lambda file: file["categories"][0]["keypoints"].__setitem__(1, "upper_neck"),
        "categories[0].keypoints: got 17 names without ['head_bottom']",
    ),
    "videos": (
        lambda file: file["images"][1].update(file_name="images/val/000002_mpii_test/000000.jpg"),
        "images: got frames of 2 videos (000001, 000002)",
    ),
}


@pytest.mark.parametrize(("change", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_in_predictions_is_named(sides: tuple[Json, Json], scored: Build, change: Change, words: str) -> None:
    truth, found = sides
    change(found)

    with pytest.raises(Refusal) as refusal:
        scored(truth, found)

    assert words in str(refusal.value)
    assert "pred/000001_mpii_test.json" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_person_without_a_head_box_is_refused_only_where_distances_are_needed(
    sides: tuple[Json, Json], scored: Build
) -> None:
    truth, found = sides
    truth["annotations"][3].pop("bbox_head")

    with pytest.raises(Refusal, match=r"gt/000001_mpii_test\.json: frame 1: bbox_head: missing"):
        scored(truth, found)

    found["annotations"] = found["annotations"][:2]
    assert scored(truth, found)["recall"]["nose"] == pytest.approx(50)


@pytest.mark.parametrize("vertices", [1, 2])
def test_an_ignore_region_with_too_few_vertices_is_refused(
    sides: tuple[Json, Json], scored: Build, vertices: int
) -> None:
    truth, found = sides
    truth["images"][1] |= {"ignore_regions_x": [[5] * vertices], "ignore_regions_y": [[5] * vertices]}

    with pytest.raises(Refusal, match=r"frame 1: ignore_regions\[0\]: got .* wanted at least three"):
        scored(truth, found)


def test_an_ignore_region_that_is_no_list_of_polygons_is_refused(sides: tuple[Json, Json], scored: Build) -> None:
    truth, found = sides
    truth["images"][1] |= {"ignore_regions_x": [0, 4, 4], "ignore_regions_y": [0, 0, 4]}

    with pytest.raises(Refusal, match=r"frame 1: images\[1\]\.ignore_regions_x\[0\]: got 0"):
        scored(truth, found)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"images"', "\x00", '{"annolist": 3}', '{"annolist": [[]]}'])
def test_a_file_that_is_no_posetrack_json_is_refused(
    sides: tuple[Json, Json], scored: Build, tmp_path: Path, text: str
) -> None:
    scored(*sides)
    (tmp_path / "pred" / "000001_mpii_test.json").write_text(text)

    with pytest.raises(Refusal, match=r"pred/000001_mpii_test\.json: .*wanted|should be"):
        score_folders(tmp_path / "gt", tmp_path / "pred")


def test_folders_that_are_absent_or_empty_or_lack_a_video_are_refused(
    sides: tuple[Json, Json], scored: Build, tmp_path: Path
) -> None:
    scored(*sides)
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "000002_mpii_test.json").write_text("{}")

    with pytest.raises(Refusal, match=r"empty: holds no \*\.json file"):
        score_folders(tmp_path / "gt", tmp_path / "empty")
    with pytest.raises(Refusal, match="nowhere: is no folder"):
        score_folders(tmp_path / "nowhere", tmp_path / "pred")
    with pytest.raises(Refusal, match=r"other/000001_mpii_test\.json: no such file"):
        score_folders(tmp_path / "gt", tmp_path / "other")


def test_ground_truth_without_anybody_is_refused(document: Build, scored: Build) -> None:
    with pytest.raises(Refusal, match="no frame with an annotated person"):
        scored(document(2, []), document(2, []))


@FUZZ
@given(data=st.data())
def test_junk_anywhere_is_refused_or_scored_and_never_crashes(
    data: st.DataObject, sides: tuple[Json, Json], scored: Build
) -> None:
    both = spoiled(data, list(sides))

    with contextlib.suppress(Refusal):
        json.dumps(scored(*both), allow_nan=False)
