"""Folders of drawn annotations and predictions, in both of PoseTrack's JSON formats, as large as a label version."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dsn.skeleton import POSETRACK
from pipeline.evaluation.posetrack18 import NAMES

PEOPLE = 5
"""In each frame, on either side."""
EVALUATED = [POSETRACK.joints.index(name) for name in NAMES]
Json = dict[str, Any]


def write_folders(folder: Path, *, videos: int, frames: int) -> None:
    """Write `18/gt`, `18/pred`, `17/gt` and `17/pred` into a folder: the same content twice."""
    for side in ("gt", "pred"):
        for kind in ("17", "18"):
            (folder / kind / side).mkdir(parents=True)
        for video in range(videos):
            people = list(_people(video, frames=frames, is_truth=side == "gt"))
            images = [{"id": _id(video, frame), "file_name": _name(video, frame)} for frame in range(frames)]
            name = f"{video:06d}_mpii_test.json"
            _write(folder / "18" / side / name, _posetrack18(images, people))
            _write(folder / "17" / side / name, _posetrack17(images, people))


def _people(video: int, *, frames: int, is_truth: bool) -> Iterator[Json]:
    """Everybody walks; predictions are some pixels off, some far, and now and then change their track."""
    rng = np.random.default_rng([video, is_truth])
    drawn = np.random.default_rng(video)
    start, pose = drawn.uniform(100, 1000, (PEOPLE, 1, 2)), drawn.uniform(-80, 80, (PEOPLE, 17, 2))
    for frame in range(frames):
        points = start + pose + 3 * frame
        if not is_truth:
            points = points + rng.normal(scale=rng.choice([3, 9, 30], (PEOPLE, 17, 1)), size=(PEOPLE, 17, 2))
        present = drawn.random((PEOPLE, 17)) < 0.85 if is_truth else np.ones((PEOPLE, 17), dtype=np.bool_)
        present[:, [3, 4]] = False
        for person in range(PEOPLE):
            entry: Json = {
                "id": 100 * _id(video, frame) + person,
                "image_id": _id(video, frame),
                "category_id": 1,
                "track_id": person if is_truth or rng.random() < 0.95 else person + PEOPLE,
                "keypoints": _triples(points[person].round(0 if is_truth else 14), present[person]),
            }
            head = {"bbox": [10, 10, 200, 300], "bbox_head": [100, 100, 40, 50], "scores": []}
            yield entry | (head if is_truth else {"scores": rng.random(17).tolist()})


def _triples(points: Any, present: Any) -> list[float]:
    triples: list[float] = np.where(present[:, None], np.column_stack([points, np.ones(17)]), 0.0).ravel().tolist()
    return triples


def _id(video: int, frame: int) -> int:
    return 10**10 + video * 10**4 + frame


def _name(video: int, frame: int) -> str:
    return f"images/val/{video:06d}_mpii_test/{frame:06d}.jpg"


def _posetrack18(images: list[Json], people: list[Json]) -> Json:
    category = {"id": 1, "name": "person", "keypoints": list(POSETRACK.joints)}
    return {"images": images, "annotations": people, "categories": [category]}


def _posetrack17(images: list[Json], people: list[Json]) -> Json:
    rects: dict[int, list[Json]] = {}
    for person in people:
        rects.setdefault(person["image_id"], []).append(_rect(person))
    frames = [{"image": [{"name": image["file_name"]}], "annorect": rects[image["id"]]} for image in images]
    return {"annolist": frames}


def _rect(person: Json) -> Json:
    points = []
    for number, joint in enumerate(EVALUATED):
        x, y, v = person["keypoints"][3 * joint : 3 * joint + 3]
        if v:
            shown = {"score": [person["scores"][joint]]} if person["scores"] else {"is_visible": [1]}
            points.append({"id": [number], "x": [x], "y": [y]} | shown)
    corners = {"x1": [100], "y1": [100], "x2": [140], "y2": [150]} if "bbox_head" in person else {}
    return {"track_id": [person["track_id"]], "annopoints": [{"point": points}]} | corners


def _write(path: Path, content: Json) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
