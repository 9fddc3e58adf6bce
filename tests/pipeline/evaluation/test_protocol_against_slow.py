"""The fast evaluator against one written plainly from the protocol's text, with motmetrics for the tracking part."""

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import motmetrics
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from dsn.skeleton import POSETRACK
from pipeline.evaluation.poseval import score_folders

Json = dict[str, Any]
NAMES = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
    "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "head_bottom", "nose", "head_top",
)  # fmt: skip
Point = tuple[float, float]


class _Person:
    """One annotation: its points by joint, its scores, its track, its head size."""

    def __init__(self, annotation: Json) -> None:
        triples = np.reshape(annotation["keypoints"], (17, 3)).tolist()
        named = dict(zip(POSETRACK.joints, triples, strict=True))
        scores = dict(zip(POSETRACK.joints, annotation.get("scores") or [-9999.0] * 17, strict=True))
        self.points: dict[str, Point] = {name: (named[name][0], named[name][1]) for name in NAMES if any(named[name])}
        self.scores = {name: float(scores[name]) for name in NAMES}
        self.track = int(annotation["track_id"])
        width, height = annotation.get("bbox_head", [0, 0, 0, 0])[2:]
        self.head = 0.6 * math.sqrt(width**2 + height**2)


Frame = tuple[list[_Person], list[_Person]]


def _evaluated_frames(truth: Json, prediction: Json) -> list[Frame]:
    """Section 3 of the protocol."""
    frames = []
    for image, found in zip(truth["images"], prediction["images"], strict=True):
        people = [_Person(entry) for entry in truth["annotations"] if entry["image_id"] == image["id"]]
        predictions = [_Person(entry) for entry in prediction["annotations"] if entry["image_id"] == found["id"]]
        if not people:
            continue
        outlines = zip(image.get("ignore_regions_x", []), image.get("ignore_regions_y", []), strict=True)
        polygons = [shapely.Polygon(list(zip(x, y, strict=True))) for x, y in outlines]
        if polygons:
            people, predictions = _outside(people, polygons), _outside(predictions, polygons)
        frames.append((people, predictions))
    return frames


def _outside(people: list[_Person], polygons: list[shapely.Polygon]) -> list[_Person]:
    for person in people:
        for name, point in list(person.points.items()):
            if any(polygon.contains(shapely.Point(point)) for polygon in polygons):
                del person.points[name]
    return [person for person in people if person.points]


def _distance(found: _Person, person: _Person, name: str) -> float:
    if name not in found.points or name not in person.points or person.head == 0:
        return math.inf
    return math.dist(found.points[name], person.points[name]) / person.head


def _share(found: _Person, person: _Person) -> float:
    hits = sum(_distance(found, person, name) <= 0.5 for name in NAMES)
    return hits / len(person.points) if person.points else 0.0


def _matches(people: list[_Person], predictions: list[_Person]) -> dict[int, int]:
    """Section 4: the person of each matched prediction."""
    claims: dict[int, list[tuple[float, int]]] = {}
    for number, found in enumerate(predictions):
        shares = [_share(found, person) for person in people]
        if shares and max(shares) > 0:
            claims.setdefault(shares.index(max(shares)), []).append((max(shares), number))
    winners = {person: max(claim, key=lambda entry: (entry[0], -entry[1]))[1] for person, claim in claims.items()}
    return {number: person for person, number in winners.items()}


def _average_precision(frames: list[Frame], name: str) -> tuple[float, float, float]:
    """Sections 5 and 6: AP, precision and recall of one joint."""
    entries: list[tuple[float, bool]] = []
    annotated = 0
    for people, predictions in frames:
        annotated += sum(name in person.points for person in people)
        matches = _matches(people, predictions)
        for number, found in enumerate(predictions):
            if name in found.points:
                hit = number in matches and _distance(found, people[matches[number]], name) <= 0.5
                entries.append((found.scores[name], hit))
    if not entries:
        return 0.0, 0.0, 0.0
    entries.sort(key=lambda entry: -entry[0])
    right = [sum(hit for _, hit in entries[: k + 1]) for k in range(len(entries))]
    precision = [count / (k + 1) for k, count in enumerate(right)]
    if annotated == 0:
        return math.nan, 100 * precision[-1], math.nan
    recall = [count / annotated for count in right]
    steps = zip(recall, [0.0, *recall], strict=False)
    area = sum((now - before) * max(precision[k:]) for k, (now, before) in enumerate(steps))
    return 100 * area, 100 * precision[-1], 100 * recall[-1]


def _tracking(videos: list[list[Frame]], name: str) -> dict[str, float]:
    """Section 8, event by event from motmetrics."""
    total = dict.fromkeys(("MATCH", "SWITCH", "MISS", "FP", "objects"), 0)
    every, matched = 0.0, 0.0
    for frames in videos:
        accumulator = motmetrics.MOTAccumulator(auto_id=True)
        for people, predictions in frames[:-1]:
            rows = [person for person in people if name in person.points]
            columns = [found for found in predictions if name in found.points]
            if not people or not predictions:
                accumulator.update([0], [0], [[math.nan]])
                total["objects"] += 1
                continue
            cost = [[_distance(found, person, name) for found in columns] for person in rows]
            cost = [[value if value <= 0.5 else math.nan for value in row] for row in cost]
            accumulator.update([person.track for person in rows], [found.track for found in columns], cost)
            total["objects"] += len(rows)
        # Its public table takes seconds to build for every joint of every video.
        for kind, distance in zip(accumulator._events["Type"], accumulator._events["D"], strict=True):
            if kind in total:
                total[kind] += 1
            if not math.isnan(distance):
                every += distance
                matched += distance if kind in ("MATCH", "SWITCH") else 0.0
    detections, objects = total["MATCH"] + total["SWITCH"], total["objects"]
    wrong = total["MISS"] + total["SWITCH"] + total["FP"]
    return {
        "mota": 100 * (1 - wrong / objects) if objects else math.nan,
        "motp": 100 * (1 - every / detections) if detections else 0.0,
        "motp_match_only": 100 * (1 - matched / detections) if detections else 0.0,
        "pre": 100 * detections / (detections + total["FP"]) if detections + total["FP"] else math.nan,
        "rec": 100 * detections / objects if objects else math.nan,
    }


def _draw(rng: np.random.Generator, video: int) -> tuple[Json, Json]:
    """A ground truth and predictions on a coarse grid, so that shares, distances and borders often tie."""
    frames, people = int(rng.integers(2, 6)), int(rng.integers(1, 4))
    images: list[Json] = []
    sides: tuple[list[Json], list[Json]] = ([], [])
    centers = rng.integers(10, 30, (people, 2)) * 5
    if people > 1 and rng.random() < 0.3:
        centers[1] = centers[0]
    shape = rng.integers(-6, 7, (17, 2)) * 5
    for frame in range(frames):
        images.append({"id": frame, "file_name": f"images/val/{video:06d}_mpii_test/{frame:06d}.jpg"})
        if rng.random() < 0.4:
            x, y = rng.integers(8, 30, 2) * 5
            images[-1] |= {
                "ignore_regions_x": [[int(x), int(x) + 30, int(x) + 30, int(x)]],
                "ignore_regions_y": [[int(y), int(y), int(y) + 40, int(y) + 40]],
            }
        is_labeled = rng.random() < 0.85 or frame < 2
        tracks = rng.permutation(people + 2)
        for person in range(people):
            pose = centers[person] + shape + frame * 5
            if is_labeled and (rng.random() < 0.9 or person == 0):
                entry = _annotation(rng, pose, frame=frame, track=person, drop=0.15)
                sides[0].append(entry | {"bbox_head": [100, 100, *([30, 40] if rng.random() < 0.95 else [0, 0])]})
            for copy in range(int(rng.integers(0, 3))):
                track = int(tracks[person]) if rng.random() < 0.4 else person
                entry = _annotation(rng, pose + rng.integers(-2, 3, (17, 2)) * 5, frame=frame, track=track, drop=0.2)
                scores = rng.permutation(100_000)[:17] / 100_000
                has_scores = rng.random() < 0.9
                sides[1].append(
                    entry | {"track_id": track + 20 * copy} | ({"scores": scores.tolist()} if has_scores else {})
                )
    categories = [{"name": "person", "keypoints": list(POSETRACK.joints)}]
    unique = {(entry["image_id"], entry["track_id"]): entry for entry in sides[1]}
    files = [
        {"images": images, "annotations": part, "categories": categories} for part in (sides[0], [*unique.values()])
    ]
    return files[0], files[1]


def _annotation(rng: np.random.Generator, pose: Any, *, frame: int, track: int, drop: float) -> Json:
    present = rng.random(17) >= (1.0 if rng.random() < 0.05 else drop)
    present[[3, 4]] = False
    keypoints = np.where(present[:, None], np.column_stack([pose, np.ones(17)]), 0.0)
    return {"image_id": frame, "track_id": track, "keypoints": keypoints.ravel().tolist()}


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_number_is_that_of_the_evaluator_written_plainly_from_the_text(seed: int) -> None:
    rng = np.random.default_rng(seed)
    files = [_draw(rng, video) for video in range(int(rng.integers(1, 4)))]
    frames = [_evaluated_frames(truth, prediction) for truth, prediction in files]

    result = _scored(files)

    everything = [frame for video in frames for frame in video]
    for name in NAMES:
        joint = "neck" if name == "head_bottom" else name
        got = [result[key][joint] for key in ("ap", "precision", "recall")]
        assert [_nan(value) for value in got] == pytest.approx(
            _average_precision(everything, name), abs=1e-9, nan_ok=True
        )
        if result["mot"] is not None:
            tracking = {key: _nan(values[joint]) for key, values in result["mot"].items() if joint in values}
            assert tracking == pytest.approx(_tracking(frames, name), abs=1e-9, nan_ok=True)
    assert (result["mot"] is None) == any(len(video) == 1 for video in frames)


def _scored(files: list[tuple[Json, Json]]) -> Json:
    with tempfile.TemporaryDirectory() as folder:
        for side, part in (("gt", 0), ("pred", 1)):
            (Path(folder) / side).mkdir()
            for video, pair in enumerate(files):
                (Path(folder) / side / f"{video:06d}_mpii_test.json").write_text(json.dumps(pair[part]))
        return score_folders(Path(folder) / "gt", Path(folder) / "pred")


def _nan(value: float | None) -> float:
    return math.nan if value is None else value
