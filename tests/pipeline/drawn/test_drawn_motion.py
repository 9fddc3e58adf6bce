import numpy as np
import pytest

from pipeline.drawn.body import REST
from pipeline.drawn.motion import MOTIONS, Style
from pipeline.drawn.performance import Cue, perform, travel

STYLE = Style(
    tempo=1.0, reach=1.0, phase=0.4, side="left", leg=0.85, rates=(1.0,) * 8, phases=(0.1,) * 8,
)  # fmt: skip
TIMES = np.arange(0, 2, 0.01)


@pytest.mark.parametrize("motion", list(MOTIONS))
def test_every_motion_moves_smoothly_within_what_joints_can_do(motion: str) -> None:
    angles = perform((Cue(motion=motion, start=0.0),), style=STYLE, times=TIMES)

    assert set(angles) == set(REST)
    for name, values in angles.items():
        assert values.shape == TIMES.shape
        if name not in ("speed", "turn"):
            assert np.abs(values).max() < 3.3, name
            assert np.abs(np.diff(values)).max() < 0.3, name
    assert min(angles["left_knee"].min(), angles["right_knee"].min()) >= 0


def test_a_walker_goes_as_far_as_the_steps_are_long() -> None:
    gone, heading = travel((Cue(motion="walk", start=0.0),), style=STYLE, times=np.array([0.0, 2.0]), heading=np.pi / 2)

    assert heading == pytest.approx([np.pi / 2, np.pi / 2])
    assert gone[0] == pytest.approx([0.0, 0.0], abs=1e-6)
    assert gone[1] == pytest.approx([2 * 4 * 0.85 * np.sin(0.46) * 0.95, 0.0], abs=0.02)


def test_somebody_who_turns_faces_another_way_in_the_same_place() -> None:
    gone, heading = travel((Cue(motion="turn", start=0.0),), style=STYLE, times=np.array([0.0, 1.0]), heading=0.0)

    assert heading[1] == pytest.approx(-3.6, abs=0.02)
    assert gone[1] == pytest.approx([0.0, 0.0], abs=1e-9)


def test_one_motion_fades_into_the_next() -> None:
    cues = (Cue(motion="stand", start=0.0), Cue(motion="signal", start=1.0))

    both = perform(cues, style=STYLE, times=TIMES)
    alone = {name: perform((Cue(motion=name, start=0.0),), style=STYLE, times=TIMES) for name in ("stand", "signal")}

    assert both["left_arm_out"][:100] == pytest.approx(alone["stand"]["left_arm_out"][:100])
    assert both["left_arm_out"][130:] == pytest.approx(alone["signal"]["left_arm_out"][130:])
    assert np.abs(np.diff(both["left_arm_out"])).max() < 0.2
