"""Tiny PoseTrack18 trees, drawn for one test each."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dsn.skeleton import POSETRACK

Document = dict[str, Any]
LABELS = "posetrack_data/annotations"


def person(frame_id: int, track_id: int = 0, **changes: Any) -> Document:
    """Every scored joint n at (10 + n, 20 + n), a bbox of 20 x 30 and a head bbox of 3 x 4."""
    keypoints = [[10.0 + joint, 20.0 + joint, 1] if joint in POSETRACK.scored else [0, 0, 0] for joint in range(17)]
    values = {
        "id": frame_id * 100 + track_id,
        "image_id": frame_id,
        "track_id": track_id,
        "category_id": 1,
        "keypoints": np.ravel(keypoints).tolist(),
        "scores": [],
        "bbox": [8.0, 15.0, 20.0, 30.0],
        "bbox_head": [10, 20, 3, 4],
    }
    return {key: value for key, value in (values | changes).items() if value is not None}


def document(name: str, split: str, frames: int, *, people: int = 1) -> Document:
    """A whole file; frame n of video v has the id 10_0000_0000_00 + v * 10^4 + n, beyond 31 bits."""
    first = 10_000_000_000 + int(name[:6]) * 10_000
    ids = range(first, first + frames)
    return {
        "images": [
            {
                "id": frame_id,
                "frame_id": frame_id,
                "file_name": f"images/{split}/{name}/{position:06d}.jpg",
                "vid_id": name[:6],
                "nframes": frames,
                "is_labeled": True,
                "has_no_densepose": True,
            }
            for position, frame_id in enumerate(ids)
        ],
        "annotations": [person(frame_id, track) for frame_id in ids for track in range(people)],
        "categories": [{"id": 1, "name": "person", "keypoints": list(POSETRACK.joints), "skeleton": []}],
    }


def write(root: Path, split: str, name: str, content: Document, *, labels: str = LABELS) -> Path:
    """Write a file, and a grey image of 48 x 64 for every frame it lists."""
    path = root / labels / split / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    for image in content["images"]:
        file = root / image["file_name"]
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), np.full((48, 64, 3), 128, dtype=np.uint8))
    return path


@pytest.fixture
def make_document() -> Callable[..., Document]:
    """`document`."""
    return document


@pytest.fixture
def make_person() -> Callable[..., Document]:
    """`person`."""
    return person


@pytest.fixture
def write_video() -> Callable[..., Path]:
    """`write`."""
    return write


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Four training videos of 6 frames and one val video of 5, each with two people."""
    for number in range(1, 5):
        name = f"{number:06d}_mpii_train"
        write(tmp_path, "train", name, document(name, "train", 6, people=2))
    write(tmp_path, "val", "000009_bonn_test", document("000009_bonn_test", "val", 5, people=2))
    return tmp_path


@pytest.fixture
def write_labels(tmp_path: Path) -> Callable[..., Path]:
    """Writes JSON below the root, which it gives."""

    def write_labels(content: Any, file: str = f"{LABELS}/train/000001_mpii_train.json") -> Path:
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        return tmp_path

    return write_labels


@pytest.fixture
def small(tree: Path) -> Path:
    """The tree with lists of ignore regions, which every format can hold."""
    for path in tree.rglob("*.json"):
        content = json.loads(path.read_text())
        for image in content["images"]:
            image |= {"ignore_regions_x": [], "ignore_regions_y": []}
        path.write_text(json.dumps(content))
    return tree
