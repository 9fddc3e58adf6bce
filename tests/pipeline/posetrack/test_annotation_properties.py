"""What holds for any annotation: geometry of bboxes, ids, names that make keys, paths, and joints in every format."""

import json
import re
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsn.skeleton import POSETRACK
from pipeline.posetrack.annotations import GROWTH, below_root, corners, extent, normalized, refuse_bad_name
from pipeline.posetrack.coco import read_document, to_video, whole
from pipeline.posetrack.posetrack17 import JOINTS, read_video
from pipeline.refusal import Refusal
from pipeline.shards.sample import KEY

PATH = Path("file.json")
PLACES = st.floats(-500, 4000, allow_nan=False, width=32)
KEYPOINTS = st.lists(st.tuples(PLACES, PLACES, st.sampled_from([0, 1])), min_size=17, max_size=17)
IDS = st.integers(0, 2**63 - 1)


@given(KEYPOINTS)
def test_an_extent_holds_every_labelled_joint_with_the_margin_around_them(rows: list[Any]) -> None:
    keypoints = normalized(rows, [row[2] for row in rows])
    points = keypoints[keypoints[:, 2] > 0, :2]
    bbox = extent(keypoints)

    if bbox is None:
        grown = np.ptp(points, axis=0) * (1 + 2 * GROWTH) if len(points) else np.zeros(2)
        assert grown.min() < 1
    else:
        low, high = np.array(bbox[:2]), np.array(bbox[2:])
        assert (points >= low).all()
        assert (points <= high).all()
        assert (high - low).tolist() == pytest.approx(((1 + 2 * GROWTH) * np.ptp(points, axis=0)).tolist())
        assert ((low + high) / 2).tolist() == pytest.approx(((points.min(0) + points.max(0)) / 2).tolist(), abs=1e-6)


@given(KEYPOINTS, PLACES, PLACES)
def test_an_extent_moves_with_its_joints(rows: list[Any], dx: float, dy: float) -> None:
    first = normalized(rows, [row[2] for row in rows])
    moved = normalized(first[:, :2] + (dx, dy), first[:, 2] > 0)
    one, other = extent(first), extent(moved)

    if one is not None and other is not None:
        assert np.array(other) == pytest.approx(np.add(one, (dx, dy, dx, dy)), abs=1e-6)


@given(st.lists(st.floats(), min_size=4, max_size=4))
def test_a_bbox_is_finite_and_has_an_area_or_is_none(values: list[float]) -> None:
    bbox = corners(*values)

    if bbox is not None:
        assert np.isfinite(bbox).all()
        assert min(bbox[2] - bbox[0], bbox[3] - bbox[1]) >= 1


@given(st.text(max_size=12))
def test_a_name_is_refused_or_can_stand_in_a_key(name: str) -> None:
    try:
        refuse_bad_name(name, PATH)
    except Refusal:
        assert not re.fullmatch(r"[A-Za-z0-9_-]+", name)
    else:
        assert KEY.fullmatch(name)


@given(st.lists(st.sampled_from(["..", ".", "a", "b.jpg", "", "/"]), max_size=6).map("/".join))
def test_a_path_is_refused_or_stays_below_the_root(name: str) -> None:
    try:
        path = below_root(name, "where")
    except Refusal:
        assert name.startswith("/") or ".." in name.split("/") or not PurePosixPath(name).parts
    else:
        assert Path("/base", path).resolve().is_relative_to("/base")


@settings(max_examples=30, deadline=None)
@given(KEYPOINTS, IDS, st.integers(0, 9999))
def test_posetrack17_and_18_give_the_same_person_whatever_the_joints_and_ids(
    rows: list[Any], frame_id: int, track_id: int
) -> None:
    rows = [(x, y, v) if v and joint in POSETRACK.scored else (0.0, 0.0, 0) for joint, (x, y, v) in enumerate(rows)]
    people = []
    with tempfile.TemporaryDirectory() as folder:
        for name, content in {"a": coco(rows, frame_id, track_id), "b": annolist(rows, track_id)}.items():
            path = Path(folder, f"{name}.json")
            path.write_text(json.dumps(content))
            video = (
                read_video(path, split="val")
                if "annolist" in content
                else to_video(
                    whole(read_document(path), "a"), path, split="val", skeleton=POSETRACK, v_means="labelled"
                )
            )
            people.append(video.people[0])

    eighteen, seventeen = people
    assert eighteen.frame_id == frame_id
    assert eighteen.track_id == seventeen.track_id == track_id
    assert np.array_equal(eighteen.keypoints, seventeen.keypoints)
    assert eighteen.bbox == seventeen.bbox == extent(eighteen.keypoints)


def coco(rows: list[Any], frame_id: int, track_id: int) -> dict[str, Any]:
    annotation = {"image_id": frame_id, "track_id": track_id, "keypoints": [value for row in rows for value in row]}
    return {
        "images": [{"id": frame_id, "file_name": "images/1.jpg"}],
        "annotations": [annotation],
        "categories": [{"name": "person", "keypoints": list(POSETRACK.joints)}],
    }


def annolist(rows: list[Any], track_id: int) -> dict[str, Any]:
    found = [(number, rows[POSETRACK.joints.index(joint)]) for number, joint in enumerate(JOINTS)]
    points = [{"id": [number], "x": [x], "y": [y]} for number, (x, y, v) in found if v]
    rect = {"track_id": [track_id], "annopoints": [{"point": points}]}
    return {"annolist": [{"image": [{"name": "images/1.jpg"}], "annorect": [rect]}]}
