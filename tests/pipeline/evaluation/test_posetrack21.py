"""PoseTrack21's own AP: against an evaluator written plainly from what its code does, by hand, and its refusals."""

import contextlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from dsn.skeleton import POSETRACK
from pipeline.evaluation.people import JOINTS
from pipeline.evaluation.posetrack18 import NAMES
from pipeline.evaluation.posetrack21 import score_as_posetrack21
from pipeline.evaluation.score import score
from pipeline.refusal import Refusal
from tests.world.junk import FUZZ, spoiled

Json = dict[str, Any]
Build = Callable[..., Json]
Pose = dict[str, tuple[float, float]]
Scored = dict[str, list[tuple[float, bool]]]


@pytest.fixture
def as_posetrack21(tmp_path: Path) -> Build:
    """The result of one file against another."""

    def run(truth: Json, found: Json) -> Json:
        write([(truth, found)], tmp_path)
        return score_as_posetrack21(tmp_path / "gt", tmp_path / "pred")

    return run


@pytest.fixture
def sides(person: Build, document: Build, full_pose: Pose) -> tuple[Json, Json]:
    """Three frames, the last of which is not labelled, with a person each, and perfect predictions."""
    truth = document(3, [person(frame, full_pose) for frame in range(3)])
    for frame, image in enumerate(truth["images"]):
        image["is_labeled"] = frame < 2
    return truth, document(3, [person(frame, full_pose, score=0.9 - frame / 10) for frame in range(3)])


def write(files: list[tuple[Json, Json]], folder: Path) -> None:
    for side, part in (("gt", 0), ("pred", 1)):
        (folder / side).mkdir(exist_ok=True)
        for video, pair in enumerate(files):
            (folder / side / f"{video:06d}_mpii_test.json").write_text(json.dumps(pair[part]))


def slow(files: list[tuple[Json, Json]]) -> dict[str, dict[str, float]]:
    """AP, precision and recall of every joint, and their means, in percent."""
    entries: Scored = {name: [] for name in NAMES}
    annotated = dict.fromkeys(NAMES, 0)
    for truth, found in files:
        for image in truth["images"]:
            if image["is_labeled"]:
                add_frame(entries, annotated, *(people(side, image) for side in (truth, found)))
    result = {name: curve(entries[name], annotated[name]) for name in NAMES}
    result["total"] = tuple(float(np.mean([values[k] for values in result.values()])) for k in range(3))
    named = dict(zip(NAMES, JOINTS, strict=True)) | {"total": "total"}
    return {
        key: {named[name]: values[k] for name, values in result.items()}
        for k, key in enumerate(("ap", "precision", "recall"))
    }


def people(side: Json, image: Json) -> list[tuple[Pose, dict[str, float], float]]:
    """Points, scores and head size of everybody in a frame; ground truth and predictions share the ignore regions."""
    outlines = zip(image.get("ignore_regions_x", []), image.get("ignore_regions_y", []), strict=True)
    polygons = [shapely.Polygon(list(zip(x, y, strict=True))) for x, y in outlines]
    found = []
    for entry in side["annotations"]:
        if entry["image_id"] != image["id"]:
            continue
        places = dict(zip(POSETRACK.joints, np.reshape(entry["keypoints"], (17, 3)).tolist(), strict=True))
        pose = {name: (places[name][0], places[name][1]) for name in NAMES if min(places[name][:2]) > 0}
        pose = {name: at for name, at in pose.items() if not any(one.contains(shapely.Point(at)) for one in polygons)}
        scores = dict(zip(POSETRACK.joints, entry.get("scores") or [-9999.0] * 17, strict=True))
        if pose or not polygons:
            found.append((pose, scores, 0.6 * math.hypot(*entry.get("bbox_head", [0, 0, 0, 0])[2:])))
    return found


def add_frame(entries: Scored, annotated: dict[str, int], truth: list[Any], found: list[Any]) -> None:
    for pose, _, _ in truth:
        for name in pose:
            annotated[name] += 1
    hits = [[hit_joints(pose, other, head) for other, _, head in truth] for pose, _, _ in found]
    shares = [[len(hit) / max(len(truth[k][0]), 1) for k, hit in enumerate(row)] for row in hits]
    kept = [[share if k == row.index(max(row)) else 0.0 for k, share in enumerate(row)] for row in shares]
    partner = {}
    for k in range(len(truth)):
        column = [row[k] for row in kept]
        if column and max(column) > 0:
            partner[column.index(max(column))] = k
    for number, (pose, scores, _) in enumerate(found):
        for name in pose:
            entries[name].append((scores[name], number in partner and name in hits[number][partner[number]]))


def hit_joints(pose: Pose, other: Pose, head: float) -> set[str]:
    return {name for name in pose if name in other and head and math.dist(pose[name], other[name]) / head <= 0.5}


def curve(entries: list[tuple[float, bool]], annotated: int) -> tuple[float, ...]:
    if not entries:
        return 0.0, 0.0, 0.0
    entries = sorted(entries, key=lambda entry: -entry[0])
    right = [sum(hit for _, hit in entries[: k + 1]) for k in range(len(entries))]
    precision = [count / (k + 1) for k, count in enumerate(right)]
    recall = [count / max(annotated, 1) for count in right]
    steps = zip(recall, [0.0, *recall], strict=False)
    area = sum((now - before) * max(precision[k:]) for k, (now, before) in enumerate(steps))
    return 100 * area, 100 * precision[-1], 100 * recall[-1]


def draw(rng: np.random.Generator, video: int) -> tuple[Json, Json]:
    """Labelled and unlabelled frames, hidden joints (v = 0), joints on the border, people without joints."""
    images: list[Json] = []
    sides: tuple[list[Json], list[Json]] = ([], [])
    shape = rng.integers(-6, 7, (17, 2)) * 5
    for frame in range(int(rng.integers(2, 5))):
        images.append({"id": frame, "file_name": f"images/val/{video:06d}_mpii_test/{frame:06d}.jpg"})
        images[-1]["is_labeled"] = bool(rng.random() < 0.7) or frame == 0
        if rng.random() < 0.4:
            x, y = (int(value) for value in rng.integers(-2, 20, 2) * 5)
            images[-1] |= {"ignore_regions_x": [[x, x + 30, x + 30, x]], "ignore_regions_y": [[y, y, y + 40, y + 40]]}
        for number in range(int(rng.integers(0, 4)) if frame else 2):
            pose = rng.integers(0, 15, 2) * 5 + shape
            if rng.random() < 0.8 or not frame:
                sides[0].append(entry(rng, pose, frame=frame, track=number) | {"bbox_head": [9, 9, 30, 40]})
            if rng.random() < 0.8:
                other = entry(rng, pose + rng.integers(-2, 3, (17, 2)) * 5, frame=frame, track=number)
                sides[1].append(other | {"scores": (rng.permutation(100_000)[:17] / 100_000).tolist()})
    categories = [{"name": "person", "keypoints": list(POSETRACK.joints)}]
    truth, found = ({"images": images, "annotations": side, "categories": categories} for side in sides)
    return truth, found


def entry(rng: np.random.Generator, pose: Any, *, frame: int, track: int) -> Json:
    triples = np.column_stack([pose, rng.integers(0, 2, 17)])
    triples[rng.random(17) < (1.0 if rng.random() < 0.1 else 0.2)] = 0
    return {"image_id": frame, "track_id": track, "keypoints": triples.ravel().tolist()}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_number_is_that_of_the_evaluator_written_plainly(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(seed)
    files = [draw(rng, video) for video in range(int(rng.integers(1, 4)))]
    folder = tmp_path_factory.mktemp("drawn")
    write(files, folder)

    result = score_as_posetrack21(folder / "gt", folder / "pred")

    for key, wanted in slow(files).items():
        assert result[key] == pytest.approx(wanted, abs=1e-9)


def test_predictions_in_frames_that_are_not_labelled_count_nothing(
    sides: tuple[Json, Json], as_posetrack21: Build
) -> None:
    truth, found = sides
    assert as_posetrack21(truth, found)["ap"]["total"] == pytest.approx(100)

    truth["images"][2]["is_labeled"] = True
    truth["annotations"].pop()

    assert as_posetrack21(truth, found)["precision"]["nose"] == pytest.approx(200 / 3)


def test_a_joint_is_there_if_x_and_y_are_above_0_whatever_its_visibility(
    sides: tuple[Json, Json], as_posetrack21: Build
) -> None:
    truth, found = sides
    nose = 3 * POSETRACK.joints.index("nose")
    truth["annotations"][0]["keypoints"][nose + 2] = 0
    truth["annotations"][1]["keypoints"][nose] = 0

    result = as_posetrack21(truth, found)

    assert result["n_gt_joints"]["nose"] == 1
    assert result["recall"]["nose"] == pytest.approx(100)
    assert result["precision"]["nose"] == pytest.approx(50)


def test_a_joint_that_is_nowhere_annotated_has_an_ap_of_0_which_counts_in_the_mean(
    sides: tuple[Json, Json], as_posetrack21: Build
) -> None:
    truth, found = sides
    nose = 3 * POSETRACK.joints.index("nose")
    for annotation in truth["annotations"]:
        annotation["keypoints"][nose : nose + 3] = [0, 0, 0]

    result = as_posetrack21(truth, found)

    assert (result["ap"]["nose"], result["recall"]["nose"]) == (0, 0)
    assert result["ap"]["total"] == pytest.approx(1400 / 15)
    assert result["ap_grouped"]["Head"] == pytest.approx(200 / 3)


def test_the_name_of_the_metric_and_the_missing_mota_tell_the_protocol(
    sides: tuple[Json, Json], tmp_path: Path
) -> None:
    write([sides], tmp_path)

    text = score(
        tmp_path / "gt", tmp_path / "pred", protocol="posetrack21", boxes="detected", out=tmp_path / "out.json"
    )

    assert "PoseTrack21 AP; boxes: detected; labels: unknown (1 videos, 2 labelled frames)" in text
    assert "no MOTA: the tracking metrics of PoseTrack21 (HOTA) are not offered" in text
    assert json.loads((tmp_path / "out.json").read_text())["mot"] is None


FAULTS: dict[str, tuple[Callable[[Json, Json], Any], str]] = {
    "no label": (
        lambda truth, _: truth["images"][1].pop("is_labeled"),
        r"gt/.*frame 1: images\[1\]\.is_labeled: got N",
    ),
    "odd label": (
        lambda truth, _: truth["images"][0].update(is_labeled=[1]),
        r"gt/.*frame 0: images\[0\]\.is_labeled: got \[1\], wanted true or false",
    ),
    "other frames": (
        lambda _, found: [item.update({key: 7}) for key, item in ids(found, 1)],
        r"pred/.*frame 7: images\[1\]\.id: got 7, wanted 1, as in",
    ),
    "a frame twice": (
        lambda truth, found: [side["images"][1].update(id=0) for side in (truth, found)],
        r"frame 1: annotations\[1\]\.image_id: no entry|frame 0: images\[1\]\.id: got it twice",
    ),
    "posetrack17": (lambda _, found: found.update(annolist=[{"annorect": []}] * 3), "pred/.*got a PoseTrack17 file"),
}


def ids(side: Json, frame: int) -> list[tuple[str, Json]]:
    """Where a frame's id stands."""
    images = [("id", image) for image in side["images"] if image["id"] == frame]
    return images + [("image_id", one) for one in side["annotations"] if one["image_id"] == frame]


@pytest.mark.parametrize(("change", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_what_is_not_of_posetrack21s_form_is_named(
    sides: tuple[Json, Json], as_posetrack21: Build, change: Callable[[Json, Json], Any], words: str
) -> None:
    change(*sides)

    with pytest.raises(Refusal, match=words) as refusal:
        as_posetrack21(*sides)

    assert "\n" not in str(refusal.value)


@FUZZ
@given(data=st.data())
def test_junk_anywhere_is_refused_or_scored_and_never_crashes(
    data: st.DataObject, sides: tuple[Json, Json], as_posetrack21: Build
) -> None:
    both = spoiled(data, list(sides))

    with contextlib.suppress(Refusal):
        json.dumps(as_posetrack21(*both), allow_nan=False)
