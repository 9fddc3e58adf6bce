from dataclasses import replace

import numpy as np
import pytest

from pipeline.inference.people import Found
from pipeline.inference.tracker import TrackConfig, Tracker, overlaps
from pipeline.shards.sample import Bbox

CONFIG = TrackConfig(min_overlap=0.3, confident=0.5, new=0.5, patience=2)


def found(x: float, y: float = 0.0, *, score: float = 1.0) -> Found:
    """Somebody of 10 x 20 pixels."""
    bbox: Bbox = (float(x), y, x + 10.0, y + 20)
    return Found(bbox=bbox, score=score, track_id=None)


def ids(tracker: Tracker, position: int, *people: Found) -> list[int]:
    """Of the people in their order; -1 for whom the tracker leaves out."""
    seen = {id(one): track for track, one in tracker.follow(people, position=position)}
    return [seen.get(id(one), -1) for one in people]


def test_overlap_is_intersection_over_union() -> None:
    first = np.array([[0.0, 0.0, 10.0, 10.0]])
    second = np.array([[0.0, 0.0, 10.0, 10.0], [5.0, 0.0, 15.0, 10.0], [20.0, 0.0, 30.0, 10.0]])

    np.testing.assert_allclose(overlaps(first, second), [[1.0, 1 / 3, 0.0]])


def test_people_keep_their_ids_in_whatever_order_they_come() -> None:
    tracker = Tracker(CONFIG)

    assert ids(tracker, 0, found(0), found(50)) == [0, 1]
    assert ids(tracker, 1, found(52), found(2)) == [1, 0]
    assert ids(tracker, 2, found(4), found(90), found(54)) == [0, 2, 1]


def test_a_pair_that_overlaps_enough_is_not_given_up_for_two_that_do_not() -> None:
    tracker = Tracker(CONFIG)
    ids(tracker, 0, found(0), found(11))

    # overlaps of 0.32 and 0.26 with the one before, 0.29 and 0 with the other
    assert ids(tracker, 1, found(5.2), found(-5.45)) == [0, 2]


def test_somebody_comes_back_within_the_patience_and_not_after_it() -> None:
    tracker = Tracker(CONFIG)
    ids(tracker, 0, found(0))

    assert ids(tracker, 3, found(0)) == [0]
    assert ids(tracker, 7, found(0)) == [1]


def test_somebody_fast_is_expected_where_they_go() -> None:
    tracker = Tracker(CONFIG)
    for position, x in enumerate((0.0, 4.0, 8.0, 12.0, 16.0)):
        assert ids(tracker, position, found(x)) == [0]

    assert ids(tracker, 7, found(27.0)) == [0]  # three frames on, where nothing of the last bbox is overlapped


def test_the_doubtful_continue_a_track_and_begin_none() -> None:
    tracker = Tracker(CONFIG)

    assert ids(tracker, 0, found(0), found(50, score=0.4)) == [0, -1]
    assert ids(tracker, 1, found(0, score=0.4)) == [0]


def test_from_how_low_a_score_on_somebody_is_new_is_said_by_itself() -> None:
    tracker = Tracker(replace(CONFIG, new=0.3))

    assert ids(tracker, 0, found(0, score=0.4), found(50, score=0.2)) == [0, -1]


def test_a_confident_bbox_goes_before_a_doubtful_one_that_overlaps_more() -> None:
    tracker = Tracker(CONFIG)
    ids(tracker, 0, found(0))

    assert ids(tracker, 1, found(0, score=0.4), found(3)) == [-1, 0]


@pytest.mark.parametrize("changes", [{"min_overlap": 0.0}, {"min_overlap": 1.0}, {"patience": -1}])
def test_rules_that_match_all_or_nothing_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="got"):
        TrackConfig(**{"min_overlap": 0.3, "confident": 0.5, "new": 0.5, "patience": 2, **changes})  # type: ignore[arg-type]
