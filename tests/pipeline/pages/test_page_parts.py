from pathlib import Path

import cv2
import jinja2
import numpy as np
import pytest

from dsn.skeleton import POSETRACK
from pipeline.pages.pictures import data_uri, jpeg, path, picture, pose, sided
from pipeline.pages.template import fill

K = len(POSETRACK.joints)
PLACES = np.column_stack([np.arange(K), 10.0 * np.arange(K)])


def only(*names: str) -> np.ndarray:
    shown = np.zeros(K, dtype=np.bool_)
    shown[[POSETRACK.joints.index(name) for name in names]] = True
    return shown


def test_a_limb_needs_both_its_ends() -> None:
    drawn = pose(PLACES, only("left_knee", "left_ankle", "nose"), skeleton=POSETRACK)

    assert drawn.limbs == ((13.0, 130.0, 15.0, 150.0),)
    assert drawn.joints == ((0.0, 0.0), (13.0, 130.0), (15.0, 150.0))


def test_each_side_has_its_own_joints_and_the_limbs_that_lead_to_them() -> None:
    parts = sided(PLACES, only("head_bottom", "left_shoulder", "right_shoulder", "head_top"), skeleton=POSETRACK)

    assert parts["left"].joints == ((5.0, 50.0),)
    assert parts["left"].limbs == ((1.0, 10.0, 5.0, 50.0),)
    assert parts["right"].joints == ((6.0, 60.0),)
    assert parts["right"].limbs == ((1.0, 10.0, 6.0, 60.0),)
    assert parts["middle"].joints == ((1.0, 10.0), (2.0, 20.0))
    assert parts["middle"].limbs == ()


def test_the_sides_together_are_the_whole() -> None:
    everything = np.ones(K, dtype=np.bool_)

    parts = sided(PLACES, everything, skeleton=POSETRACK).values()

    whole = pose(PLACES, everything, skeleton=POSETRACK)
    assert sorted(limb for part in parts for limb in part.limbs) == sorted(whole.limbs)
    assert sorted(point for part in parts for point in part.joints) == sorted(whole.joints)


def test_lines_become_a_path() -> None:
    assert path([(1.0, 2.5, 3.0, 4.0), (5.0, 6.0, 7.0, 8.0)]) == "M1 2.5L3 4M5 6L7 8"


def test_a_picture_knows_its_size_and_kind() -> None:
    image = np.zeros((30, 40, 3), dtype=np.uint8)

    small = picture(jpeg(image, quality=80), name="small")

    assert (small.width, small.height) == (40, 30)
    assert small.data.startswith("data:image/jpeg;base64,")
    assert data_uri(cv2.imencode(".png", image)[1].tobytes()).startswith("data:image/png;base64,")


def test_bytes_that_are_no_image_are_told() -> None:
    with pytest.raises(ValueError, match="thing: got 4 bytes that are no image"):
        picture(b"none", name="thing")


def test_a_template_reaches_the_shared_parts_and_must_be_given_what_it_asks_for(tmp_path: Path) -> None:
    (tmp_path / "own.css").write_text("b {}")
    template = tmp_path / "page.html.j2"
    template.write_text('{% from "parts.html.j2" import skeleton %}{% include "own.css" %} {{ name | loud }}')

    assert fill(template, {"name": "<a>"}, filters={"loud": lambda text: f"{text}!"}) == "b {} &lt;a&gt;!"
    with pytest.raises(jinja2.UndefinedError, match="name"):
        fill(template, {}, filters={"loud": lambda text: f"{text}!"})
