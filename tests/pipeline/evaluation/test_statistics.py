import numpy as np
import pytest

from pipeline.evaluation.ap import ScoredJoints, average_precision
from pipeline.evaluation.statistics import draw_videos, drawn_ap, drawn_ratio, interval, paired_bootstrap, total_ap


def video(seed: int, *, people: int = 12, accuracy: float = 0.7) -> ScoredJoints:
    """Everybody predicted, with distinct scores; joints are right with a probability."""
    generator = np.random.default_rng(seed)
    joint = np.tile(np.arange(15), people)
    return ScoredJoints(
        joint=joint,
        score=generator.uniform(0, 1, len(joint)),
        correct=generator.uniform(0, 1, len(joint)) < accuracy,
        annotated=np.full(15, people),
    )


def test_each_video_once_is_the_official_total() -> None:
    videos = [video(seed) for seed in range(4)]

    assert drawn_ap(videos, np.ones((1, 4), dtype=np.int64))[0] == pytest.approx(total_ap(videos))


def test_a_draw_is_the_official_total_of_the_videos_it_repeats() -> None:
    videos = [video(seed) for seed in range(3)]
    repeated = [videos[0], videos[0], videos[2]]

    drawn = drawn_ap(videos, np.array([[2, 0, 1]]))

    # Copies of a prediction share its score, and are right or wrong together.
    assert drawn[0] == pytest.approx(total_ap(repeated))


def test_joints_that_nobody_has_count_as_the_official_total_counts_them() -> None:
    blank = video(0)
    annotated = blank.annotated.copy()
    annotated[3] = 0
    blank = ScoredJoints(
        joint=blank.joint, score=blank.score, correct=blank.correct & (blank.joint != 3), annotated=annotated
    )
    silent = blank.joint != 5
    silent_video = ScoredJoints(
        joint=blank.joint[silent], score=blank.score[silent], correct=blank.correct[silent], annotated=annotated
    )

    wanted = [joint.ap for joint in average_precision([silent_video])]

    assert np.isnan(wanted[3])
    assert wanted[5] == 0
    assert drawn_ap([silent_video], np.array([[1]]))[0] == pytest.approx(np.nanmean(wanted))


def test_draws_are_seeded_start_with_everybody_and_keep_the_count() -> None:
    times = draw_videos(7, draws=20, seed=3)

    assert times[0].tolist() == [1] * 7
    assert (times.sum(axis=1) == 7).all()
    assert np.array_equal(times, draw_videos(7, draws=20, seed=3))
    assert not np.array_equal(times, draw_videos(7, draws=20, seed=4))


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (4, 1), (5, 21)])
def test_fewer_than_five_videos_are_not_drawn_and_give_no_interval(count: int, rows: int) -> None:
    times = draw_videos(count, draws=20, seed=3)
    found = interval(drawn_ap([video(seed) for seed in range(count)], times))

    assert times.shape == (rows, count)
    assert times[0].tolist() == [1] * count
    assert np.isnan([found.low, found.high]).tolist() == [rows == 1] * 2
    assert not np.isnan(found.value)


def test_the_difference_of_identical_methods_is_0_in_every_draw() -> None:
    videos, times = [video(seed) for seed in range(8)], draw_videos(8, draws=100, seed=0)

    found = interval(drawn_ap(videos, times) - drawn_ap(videos, times))

    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_methods_of_one_quality_have_an_interval_around_0_and_others_have_not() -> None:
    times = draw_videos(12, draws=300, seed=0)
    first, second, better = (
        drawn_ap([video(100 * method + seed, accuracy=accuracy) for seed in range(12)], times)
        for method, accuracy in ((1, 0.7), (2, 0.7), (3, 0.9))
    )

    alike, apart = interval(first - second), interval(better - first)

    assert alike.low < 0 < alike.high
    assert 0 < apart.low < apart.value < apart.high


def test_an_interval_holds_95_percent_of_the_draws() -> None:
    found = interval(np.concatenate([[50.0], np.arange(101.0)]))

    assert (found.value, found.low, found.high) == (50.0, 2.5, 97.5)


def test_draws_without_a_value_are_left_out() -> None:
    assert interval(np.array([1.0, 2.0, np.nan, 2.0])).high == 2.0
    assert np.isnan(interval(np.array([np.nan, np.nan])).low)


def test_a_paired_difference_has_the_interval_of_the_videos_that_both_have() -> None:
    base = np.random.default_rng(0).uniform(0, 100, 40)
    gain = np.random.default_rng(1).uniform(1, 3, 40)
    missing = np.where(np.arange(40) == 7, np.nan, base)

    found = paired_bootstrap(missing + gain, base, draws=200, seed=0)

    # The videos differ by up to 100 points, and yet the interval of the paired difference is within 1 to 3.
    assert found.value == pytest.approx(np.delete(gain, 7).mean())
    assert 1 < found.low < found.value < found.high < 3
    assert found == paired_bootstrap(missing + gain, base, draws=200, seed=0)


def test_a_paired_difference_of_no_video_is_none() -> None:
    found = paired_bootstrap(np.array([np.nan]), np.array([1.0]), draws=5, seed=0)

    assert np.isnan([found.value, found.low, found.high]).all()


def test_a_ratio_of_sums_is_that_of_the_drawn_videos() -> None:
    drawn = drawn_ratio(np.array([1.0, 3.0]), np.array([2.0, 0.0]), times=np.array([[1, 1], [2, 0], [0, 2]]))

    np.testing.assert_allclose(drawn, [2.0, 0.5, np.nan])
