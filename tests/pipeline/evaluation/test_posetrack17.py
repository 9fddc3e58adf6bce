"""PoseTrack17 files beside PoseTrack18 files of the same content."""

import contextlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsn.skeleton import POSETRACK
from pipeline.evaluation.poseval import score_folders
from pipeline.refusal import Refusal
from tests.world.junk import FUZZ, spoiled

Json = dict[str, Any]
Build = Callable[..., Json]
Pose = dict[str, tuple[float, float]]
IDS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
    "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "head_bottom", "nose", "head_top",
)  # fmt: skip


def _annolist(file: Json) -> Json:
    """A PoseTrack18 file as PoseTrack17 writes it."""
    frames = []
    for image in file["images"]:
        outlines = zip(image.get("ignore_regions_x", []), image.get("ignore_regions_y", []), strict=True)
        regions = [{"point": [{"x": [x], "y": [y]} for x, y in zip(*outline, strict=True)]} for outline in outlines]
        people = [entry for entry in file["annotations"] if entry["image_id"] == image["id"]]
        frames.append(
            {
                "image": [{"name": image["file_name"]}],
                "annorect": [_rect(entry) for entry in people],
                "ignore_regions": regions,
            }
        )
    return {"annolist": frames}


def _rect(entry: Json) -> Json:
    points = []
    for number, name in enumerate(IDS):
        channel = POSETRACK.joints.index(name)
        x, y, v = entry["keypoints"][3 * channel : 3 * channel + 3]
        if x or y or v:
            score = {"score": [entry["scores"][channel]]} if entry.get("scores") else {}
            points.append({"id": [number], "x": [x], "y": [y]} | score)
    head = entry.get("bbox_head")
    corners = {"x1": [head[0]], "y1": [head[1]], "x2": [head[0] + head[2]], "y2": [head[1] + head[3]]} if head else {}
    return {"track_id": [entry["track_id"]], "annopoints": [{"point": points}]} | corners


@pytest.mark.parametrize("sides", [("gt",), ("pred",), ("gt", "pred")], ids=["truth", "predictions", "both"])
@pytest.mark.parametrize("case", ["p1_dense_noise", "p2_real_frames_ignore", "p3_sparse_ignore"])
def test_the_same_content_gives_the_same_numbers(
    oracle: Path, tmp_path: Path, case: str, sides: tuple[str, ...]
) -> None:
    folders = {side: oracle / case / side for side in ("gt", "pred")}
    for side in sides:
        for file in folders[side].glob("*.json"):
            (tmp_path / side).mkdir(exist_ok=True)
            (tmp_path / side / file.name).write_text(json.dumps(_annolist(json.loads(file.read_text()))))
        folders[side] = tmp_path / side

    result = score_folders(**folders)
    expected = score_folders(oracle / case / "gt", oracle / case / "pred")

    result.pop("mot_error", None)
    expected.pop("mot_error", None)
    assert result == expected


def test_an_entry_without_points_keeps_its_frame_but_is_nobody(
    person: Build, document: Build, scored: Build, full_pose: Pose
) -> None:
    truth = _annolist(document(2, [person(0, full_pose), person(1, {})]))
    truth["annolist"][1]["annorect"][0].pop("annopoints")
    found = document(2, [person(frame, full_pose, score=0.9 - frame / 10) for frame in range(2)])

    result = scored(truth, found)

    assert result["n_gt_frames_evaluated"] == 2
    assert result["precision"]["nose"] == pytest.approx(50)


def test_ap_needs_no_track_ids_and_mota_says_that_it_does(
    person: Build, document: Build, scored: Build, full_pose: Pose
) -> None:
    truth = _annolist(document(3, [person(frame, full_pose) for frame in range(3)]))
    found = _annolist(document(3, [person(frame, full_pose, score=0.9 - frame / 10) for frame in range(3)]))
    found["annolist"][1]["annorect"][0].pop("track_id")

    result = scored(truth, found)

    assert result["ap"]["total"] == pytest.approx(100)
    assert result["mot"] is None
    assert "without track_id in the predictions" in result["mot_error"]


@pytest.mark.parametrize("empty", [[], [[]], [{}]])
def test_every_way_of_having_no_points_is_read(
    person: Build, document: Build, scored: Build, full_pose: Pose, empty: list[Any]
) -> None:
    truth = document(1, [person(0, full_pose)])
    found = _annolist(document(1, [person(0, full_pose, score=0.5), person(0, {}, track=1, score=0.5)]))
    found["annolist"][0]["annorect"][1]["annopoints"] = empty

    assert scored(truth, found)["ap"]["total"] == pytest.approx(100)


def test_a_scalar_that_is_no_list_of_one_is_refused_with_its_frame(
    person: Build, document: Build, scored: Build, full_pose: Pose
) -> None:
    truth = document(2, [person(1, full_pose)])
    found = _annolist(document(2, [person(1, full_pose, score=0.5)]))
    found["annolist"][1]["annorect"][0]["annopoints"][0]["point"][3]["x"] = 5.0

    with pytest.raises(
        Refusal, match=r"frame 1: annolist\[1\]\.annorect\[0\]\.annopoints\[0\].*\.point\[3\]\.x: got 5\.0"
    ):
        scored(truth, found)


@pytest.fixture
def annolists(person: Build, document: Build, full_pose: Pose) -> tuple[Json, Json]:
    """Two frames with one person, and perfect predictions."""
    truth = document(2, [person(frame, full_pose) for frame in range(2)])
    found = document(2, [person(frame, full_pose, score=0.9 - frame / 10) for frame in range(2)])
    return _annolist(truth), _annolist(found)


def _first(file: Json) -> Json:
    first: Json = file["annolist"][1]["annorect"][0]
    return first


FAULTS: dict[str, tuple[Callable[[Json], Any], str]] = {
    "order": (
        lambda file: file["annolist"].reverse(),
        "annolist[0].image[0].name: images/val/000001_mpii_test/000001.jpg stands where the ground truth has",
    ),
    "frames": (lambda file: file["annolist"].pop(), "got 1 frames, wanted the 2 of"),
    "tracks": (
        lambda file: file["annolist"][1]["annorect"].append(_first(file)),
        "frame images/val/000001_mpii_test/000001.jpg: track_id: got 0 for two people",
    ),
    "track bound": (
        lambda file: _first(file).update(track_id=[10_000]),
        "frame 1: annolist[1].annorect[0].track_id[0]: got 10000",
    ),
    "two tracks": (lambda file: _first(file).update(track_id=[1, 2]), "frame 1: annolist[1].annorect[0].track_id: "),
    "nan": (
        lambda file: _first(file)["annopoints"][0]["point"][3].update(score=[math.nan]),
        "frame images/val/000001_mpii_test/000001.jpg: annopoints: got nan",
    ),
    "infinite": (
        lambda file: _first(file)["annopoints"][0]["point"][3].update(x=[math.inf]),
        "frame images/val/000001_mpii_test/000001.jpg: annopoints: got inf",
    ),
}


@pytest.mark.parametrize(("change", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_in_predictions_is_named(
    annolists: tuple[Json, Json], scored: Build, change: Callable[[Json], Any], words: str
) -> None:
    truth, found = annolists
    change(found)

    with pytest.raises(Refusal) as refusal:
        scored(truth, found)

    assert words in str(refusal.value)
    assert "pred/000001_mpii_test.json" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@FUZZ
@given(data=st.data())
def test_junk_anywhere_is_refused_or_scored_and_never_crashes(
    data: st.DataObject, annolists: tuple[Json, Json], scored: Build
) -> None:
    both = spoiled(data, list(annolists))

    with contextlib.suppress(Refusal):
        json.dumps(scored(*both), allow_nan=False)
