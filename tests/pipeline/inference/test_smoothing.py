from collections.abc import Sequence

import numpy as np
import pytest
from jaxtyping import Float64
from scipy.signal import savgol_filter

from pipeline.inference.footage import Frame
from pipeline.inference.people import Pose, Posed
from pipeline.inference.smoothing import HALF_WINDOW, ORDER, Smoothing, smoothed

FPS = 25.0
WAYS: tuple[Smoothing, ...] = ("none", "one-euro", "savgol")


def posed(position: int, **people: float) -> Posed:
    """A frame with people, named a, b ..., whose one joint is at (x, 2x)."""
    image = np.zeros((2, 2, 3), dtype=np.uint8)
    frame = Frame(position=position, seconds=position / FPS, image=image, is_readable=True, arrived=0.0)
    poses = tuple(
        Pose(
            track_id=ord(name),
            bbox=(0.0, 0.0, 1.0, 1.0),
            score=1.0,
            keypoints=np.array([[x, 2 * x]]),
            scores=np.ones(1),
        )
        for name, x in people.items()
    )
    return Posed(frame=frame, poses=poses)


def xs(frames: Sequence[Posed], name: str = "a") -> Float64[np.ndarray, " T"]:
    return np.array([pose.keypoints[0, 0] for one in frames for pose in one.poses if pose.track_id == ord(name)])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [0, 1, 2, 5, 20])
def test_every_frame_comes_out_once_and_in_order(way: Smoothing, count: int) -> None:
    frames = list(smoothed((posed(position) for position in range(count)), way=way))

    assert [one.frame.position for one in frames] == list(range(count))


@pytest.mark.parametrize("way", WAYS)
def test_who_stands_still_is_not_moved(way: Smoothing) -> None:
    frames = list(smoothed((posed(position, a=7.0) for position in range(12)), way=way))

    np.testing.assert_allclose(xs(frames), 7.0)


def test_savitzky_golay_is_scipys_within_a_track() -> None:
    values = np.random.default_rng(0).normal(size=20).cumsum()

    frames = list(smoothed((posed(position, a=x) for position, x in enumerate(values.tolist())), way="savgol"))

    wanted = savgol_filter(values, 2 * HALF_WINDOW + 1, ORDER)
    np.testing.assert_allclose(xs(frames)[HALF_WINDOW:-HALF_WINDOW], wanted[HALF_WINDOW:-HALF_WINDOW])


def test_savitzky_golay_leaves_even_acceleration_as_it_is_up_to_the_ends() -> None:
    values = [0.5 * position**2 for position in range(9)]

    frames = list(smoothed((posed(position, a=x) for position, x in enumerate(values)), way="savgol"))

    np.testing.assert_allclose(xs(frames), values, atol=1e-9)


def test_one_euro_takes_most_of_a_tremble_and_follows_a_run() -> None:
    tremble = np.random.default_rng(0).normal(size=200)
    run = 40.0 * np.arange(50)

    still = list(smoothed((posed(position, a=x) for position, x in enumerate(tremble.tolist())), way="one-euro"))
    fast = list(smoothed((posed(position, a=x) for position, x in enumerate(run.tolist())), way="one-euro"))

    assert xs(still)[20:].std() < 0.5 * tremble.std()
    assert abs(xs(fast)[-1] - run[-1]) < 15.0  # less than half a frame late


@pytest.mark.parametrize("way", WAYS)
def test_a_gap_begins_a_track_anew_and_people_do_not_mix(way: Smoothing) -> None:
    before = [posed(position, a=0.0, b=50.0) for position in range(5)]
    after = [posed(position, a=100.0, b=50.0) for position in range(6, 11)]

    frames = list(smoothed([*before, posed(5, b=50.0), *after], way=way))

    np.testing.assert_allclose(xs(frames), [0.0] * 5 + [100.0] * 5)
    np.testing.assert_allclose(xs(frames, "b"), 50.0)
