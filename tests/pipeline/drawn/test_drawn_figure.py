from dataclasses import fields

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.drawn.appearance import Appearance, draw_appearance
from pipeline.drawn.body import REST, Angles, Body, Proportions, mirrored, pose
from pipeline.drawn.camera import still
from pipeline.drawn.figure import dress
from pipeline.drawn.render import layer, paint, paint_ranks

PERSON = Proportions(height=1.75, girth=1.1, shoulder=0.19, hip=0.1, leg=1.0, head=0.24)
SIZE = (260, 200)
CAMERA = still(height=1.2, focal=480.0, center=(99.5, 95.0))
CHANGES = {
    "left_arm_out": 1.6, "left_elbow": 0.9, "left_arm_roll": 1.2, "right_arm_flex": 1.1, "right_elbow": 0.7,
    "right_leg_flex": 0.8, "right_knee": 1.0, "lean": 0.15, "twist": 0.2, "look": 0.4,
}  # fmt: skip


def body(angles: Angles, heading: float) -> Body:
    return pose(angles, proportions=PERSON, ground=np.array([[0.0, 4.3]]), heading=np.array([heading]))


def angles() -> Angles:
    return {name: np.full(1, CHANGES.get(name, value)) for name, value in REST.items()}


def painted(person: Body, appearance: Appearance) -> NDArray[np.uint8]:
    parts = dress(person, proportions=PERSON, appearance=appearance, camera=CAMERA, light=(0.0, -0.7))
    canvas = np.full((*SIZE, 3), 128, np.uint8)
    paint(canvas, [layer(parts, np.array([4.3]))], 0)
    return canvas


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("heading", [0.4, 1.7, 2.9])
def test_a_mirrored_person_is_the_mirrored_picture_so_looks_tell_no_side(number: int, heading: float) -> None:
    appearance = draw_appearance(5, number)

    picture = painted(body(angles(), heading), appearance)
    mirror = painted(body(mirrored(angles()), -heading), appearance)

    difference = cv2.absdiff(picture, cv2.flip(mirror, 1)).max(axis=2)
    drawn = (picture != 128).any(axis=2)
    assert drawn.sum() > 4000
    assert (difference[drawn] > 60).mean() < 0.03


def test_looks_have_one_value_for_both_sides() -> None:
    names = [field.name for field in fields(Appearance)]

    assert not [name for name in names if "left" in name or "right" in name]


def test_the_same_number_has_the_same_looks_and_another_has_others() -> None:
    looks = [draw_appearance(0, number) for number in range(300)]

    assert looks[17] == draw_appearance(0, 17)
    assert len(set(looks)) == 300
    assert draw_appearance(1, 17) != looks[17]


@pytest.mark.parametrize("heading", [0.0, 0.8, 1.6, 2.4, 3.1, 4.4])
def test_every_joint_lies_on_the_painted_person(heading: float) -> None:
    person = body(angles(), heading)
    parts = dress(person, proportions=PERSON, appearance=draw_appearance(0, 1), camera=CAMERA, light=(0.0, -0.7))
    ranks, _ = paint_ranks(SIZE, [layer(parts, np.array([4.3]))], 0)

    joints = ["nose", "head_bottom", "head_top"]
    joints += [
        f"{side}_{name}"
        for side in ("left", "right")
        for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    ]
    for joint in joints:
        x, y = CAMERA.project(CAMERA.view(person.points[joint]))[0]
        assert ranks[round(float(y)), round(float(x))] == 1, joint


def test_a_face_is_seen_from_the_front_and_not_from_behind() -> None:
    appearance = next(
        looks for looks in (draw_appearance(0, number) for number in range(99)) if looks.haircut == "short"
    )
    standing: Angles = {name: np.full(1, value) for name, value in REST.items()}

    def skin_on_the_head(heading: float) -> int:
        person = body(standing, heading)
        x, y = (round(float(value)) for value in CAMERA.project(CAMERA.view(person.points["head"]))[0])
        head = painted(person, appearance)[y - 12 : y + 13, x - 9 : x + 10].astype(int)
        return int((np.abs(head - np.array(appearance.skin)).max(axis=2) < 25).sum())

    assert skin_on_the_head(np.pi) > 3 * skin_on_the_head(0.0)
