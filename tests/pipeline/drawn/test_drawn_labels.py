from dataclasses import replace

import numpy as np
import pytest

from dsn.skeleton import POSETRACK
from pipeline.drawn.body import REST, Body, Proportions, pose
from pipeline.drawn.camera import still
from pipeline.drawn.labels import Track, labelled, track

PERSON = Proportions(height=1.75, girth=1.0, shoulder=0.19, hip=0.1, leg=1.0, head=0.24)
CAMERA = still(height=1.2, focal=480.0, center=(100.0, 95.0))
NOSE, WRIST = POSETRACK.joints.index("nose"), POSETRACK.joints.index("left_wrist")
EARS = [POSETRACK.joints.index(name) for name in ("left_ear", "right_ear")]
ALL_BUT_EARS = [joint for joint in range(17) if joint not in EARS]


def standing(heading: float, x: float = 0.0) -> Body:
    angles = {name: np.full(1, value) for name, value in REST.items()}
    return pose(angles, proportions=PERSON, ground=np.array([[x, 4.3]]), heading=np.array([heading]))


def tracked(heading: float, x: float = 0.0) -> Track:
    found = track(standing(heading, x), camera=CAMERA, head_length=PERSON.head, rng=np.random.default_rng(0))
    return replace(found, patience=np.full(17, 0.7))


def test_all_joints_but_the_ears_are_labelled_on_somebody_in_full_view() -> None:
    seen = labelled(tracked(np.pi), 0, ranks=np.ones((260, 200), np.uint8), rank=1)

    assert np.flatnonzero(seen).tolist() == ALL_BUT_EARS


def test_keypoints_are_the_projected_joints() -> None:
    body = standing(2.0)

    found = tracked(2.0).keypoints[0, WRIST]

    x, y, z = body.points["left_wrist"][0] - np.array([0.0, 1.2, 0.0])
    assert found == pytest.approx([100 + 480 * x / z, 95 - 480 * y / z])


def test_a_joint_deep_behind_something_nearer_is_unlabelled_and_one_at_its_edge_is_not() -> None:
    person = tracked(np.pi)
    x, y = (round(float(value)) for value in person.keypoints[0, WRIST])
    deep = np.ones((260, 200), np.uint8)
    deep[y - 20 : y + 20, x - 20 : x + 20] = 2
    edge = np.ones((260, 200), np.uint8)
    edge[:, x + 1 :] = 2

    assert not labelled(person, 0, ranks=deep, rank=1)[WRIST]
    assert labelled(person, 0, ranks=edge, rank=1)[WRIST]


def test_what_is_farther_hides_nothing() -> None:
    behind = np.ones((260, 200), np.uint8)

    assert labelled(tracked(np.pi), 0, ranks=behind, rank=2)[ALL_BUT_EARS].all()


def test_the_nose_of_somebody_who_looks_away_is_unlabelled() -> None:
    ranks = np.ones((260, 200), np.uint8)

    assert not labelled(tracked(0.0), 0, ranks=ranks, rank=1)[NOSE]
    assert labelled(tracked(np.pi / 2), 0, ranks=ranks, rank=1)[NOSE]


def test_joints_outside_the_image_are_unlabelled() -> None:
    person = tracked(np.pi, x=0.9)
    seen = labelled(person, 0, ranks=np.zeros((260, 200), np.uint8), rank=1)
    x = person.keypoints[0, :, 0]

    assert seen[ALL_BUT_EARS].tolist() == (x[ALL_BUT_EARS] <= 199).tolist()
    assert 0 < seen.sum() < 15


@pytest.mark.parametrize("heading", [np.pi, np.pi / 2])
def test_the_head_bbox_holds_the_head_and_is_as_large_against_it_as_in_real_files(heading: float) -> None:
    person = tracked(heading)
    x1, y1, x2, y2 = person.head_bbox[0]
    nose, bottom, top = (
        person.keypoints[0, POSETRACK.joints.index(name)] for name in ("nose", "head_bottom", "head_top")
    )

    for x, y in (nose, top):
        assert x1 <= x <= x2
        assert y1 <= y <= y2
    assert np.hypot(x2 - x1, y2 - y1) / np.linalg.norm(top - bottom) == pytest.approx(1.42, rel=0.05)
