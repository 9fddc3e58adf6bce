import numpy as np
import pytest

from pipeline.drawn.body import REST, Angles, Body, Proportions, mirrored, pose

PERSON = Proportions(height=1.8, girth=1.0, shoulder=0.19, hip=0.1, leg=1.0, head=0.24)


def standing(heading: float, **changes: float) -> Body:
    angles: Angles = {name: np.full(1, changes.get(name, value)) for name, value in REST.items()}
    return pose(angles, proportions=PERSON, ground=np.array([[0.0, 4.0]]), heading=np.array([heading]))


def test_somebody_who_faces_the_camera_has_the_left_side_on_the_right_of_the_image() -> None:
    points = standing(np.pi).points

    assert points["left_shoulder"][0, 0] > points["pelvis"][0, 0] > points["right_shoulder"][0, 0]
    assert points["nose"][0, 2] < points["head"][0, 2]


def test_somebody_who_walks_to_the_right_has_the_left_side_away_from_the_camera() -> None:
    points = standing(np.pi / 2).points

    assert points["left_hip"][0, 2] > points["right_hip"][0, 2]
    assert points["nose"][0, 0] > points["head"][0, 0]


def test_bones_keep_their_lengths_in_every_pose() -> None:
    poses = [standing(0.3), standing(2.0, left_arm_out=2.0, left_arm_roll=1.0, left_elbow=1.5, lean=0.8, side=0.3)]
    lengths = [
        [
            np.linalg.norm(body.points[a] - body.points[b])
            for a, b in (("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"), ("left_knee", "left_ankle"))
        ]
        for body in poses
    ]

    assert lengths[0] == pytest.approx([0.172 * 1.8, 0.15 * 1.8, 0.24 * 1.8])
    assert lengths[1] == pytest.approx(lengths[0])


def test_the_lowest_foot_stands_on_the_ground_and_a_jump_lifts_it() -> None:
    def lowest(body: Body) -> float:
        return min(float(body.points[f"{side}_{part}"][0, 1]) for side in ("left", "right") for part in ("heel", "toe"))

    assert lowest(standing(0.0, left_knee=1.2, left_leg_flex=0.9)) == pytest.approx(0.02)
    assert lowest(standing(0.0, lift=0.3)) == pytest.approx(0.32)


def test_the_axes_of_chest_and_head_stay_at_right_angles() -> None:
    body = standing(1.0, lean=0.7, twist=0.5, side=-0.4, look=0.6, nod=0.3)

    for axes in (body.chest[0], body.head[0]):
        assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-12)


def test_a_mirrored_pose_is_the_pose_in_a_mirror() -> None:
    changes = {"left_arm_out": 1.7, "right_knee": 1.1, "twist": 0.4, "side": 0.2, "look": -0.3}
    angles: Angles = {name: np.full(1, changes.get(name, value)) for name, value in REST.items()}
    ground = np.array([[0.0, 4.0]])
    body = pose(angles, proportions=PERSON, ground=ground, heading=np.array([0.7]))

    reflected = pose(mirrored(angles), proportions=PERSON, ground=ground, heading=np.array([-0.7]))

    swap = {"left": "right", "right": "left"}
    for name, point in body.points.items():
        side, _, rest = name.partition("_")
        other = f"{swap[side]}_{rest}" if side in swap else name
        assert reflected.points[other] == pytest.approx(point * np.array([-1.0, 1.0, 1.0]), abs=1e-12), name
