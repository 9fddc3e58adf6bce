import numpy as np
import pytest

from dsn.skeleton import POSETRACK
from pipeline.browse.clips import Shown
from pipeline.browse.paint import GAP, PAPER, grid, mosaic
from pipeline.pages.tones import LEFT, RIGHT, Tone
from tests.world.clips import sample

LEFT_WRIST, RIGHT_WRIST = POSETRACK.joints.index("left_wrist"), POSETRACK.joints.index("right_wrist")


def clip(*, size: tuple[int, int] = (64, 48), **joints: tuple[float, float]) -> Shown:
    """Three black frames, the middle one with some joints."""
    points = np.zeros((17, 2))
    supervised = np.zeros(17, dtype=np.bool_)
    for name, place in joints.items():
        joint = POSETRACK.joints.index(name)
        points[joint], supervised[joint] = place, True
    frames = np.zeros((3, *size, 3), dtype=np.uint8)
    return Shown(sample=sample(), frames=frames, keyframe=1, points=points, supervised=supervised)


def bgr(tone: Tone) -> list[int]:
    return list(reversed(bytes.fromhex(tone.picture[1:])))


def test_a_joint_is_painted_where_it_is_in_the_enlarged_keyframe_in_its_sides_colour() -> None:
    canvas = grid([clip(left_wrist=(10.0, 20.0), right_wrist=(30.0, 50.0))], skeleton=POSETRACK)

    factor = 4
    left = GAP + (48 * factor + GAP)
    for (x, y), tone in (((10, 20), LEFT), ((30, 50), RIGHT)):
        center = round((y + 0.5) * factor - 0.5) + GAP, round((x + 0.5) * factor - 0.5) + left
        assert canvas[center].tolist() == bgr(tone)
    assert not canvas[GAP : GAP + 64 * factor, GAP : GAP + 48 * factor].any()


def test_large_crops_keep_their_size() -> None:
    assert grid([clip(size=(300, 200))], skeleton=POSETRACK).shape == (GAP + 300 + GAP, GAP + 3 * (200 + GAP), 3)


def test_a_mosaic_has_one_picture_a_time_and_fills_up_its_last_row() -> None:
    frames = list(mosaic([clip()] * 3, skeleton=POSETRACK, columns=2))

    assert len(frames) == 3
    assert {frame.shape for frame in frames} == {(GAP + 2 * (256 + GAP), GAP + 2 * (192 + GAP), 3)}
    assert (frames[0][-100, -100] == PAPER).all()
    assert frames[1].max() == 255, "the keyframe has a border"
    assert frames[0].max() == PAPER


@pytest.mark.parametrize("joint", [LEFT_WRIST, RIGHT_WRIST])
def test_a_joint_that_is_not_supervised_is_not_painted(joint: int) -> None:
    hidden = clip()
    hidden.points[joint] = (10.0, 20.0)

    canvas = grid([hidden], skeleton=POSETRACK)

    assert set(np.unique(canvas)) == {0, PAPER, 255}
