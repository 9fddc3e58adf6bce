import numpy as np
import pandas as pd
import pytest

from pipeline.posetrack.suspects import joints_outside, jumps

SIDES = (40.0, 80.0)
"""Width and height of everybody's bbox."""


def frames_of(count: int, *, labeled: set[int] | None = None) -> pd.DataFrame:
    """Frames of 100 x 200 pixels of one video."""
    positions = range(count)
    return pd.DataFrame(
        {
            "video": "v",
            "frame": positions,
            "file": [f"{position}.jpg" for position in positions],
            "is_labeled": [labeled is None or position in labeled for position in positions],
            "height": 100,
            "width": 200,
        }
    )


def people_of(*places: tuple[int, int, float]) -> pd.DataFrame:
    """People as (frame, track, x of the bbox's centre), with one joint at the centre."""
    return pd.DataFrame(
        [
            {
                "video": "v",
                "frame": frame,
                "frame_id": 100 + frame,
                "track_id": track,
                "bbox": np.array([x - SIDES[0] / 2, 10, x + SIDES[0] / 2, 10 + SIDES[1]], dtype=np.float32),
                "keypoints": np.array([x, 50, 1] + [0] * 48, dtype=np.float32),
            }
            for frame, track, x in places
        ]
    )


def test_a_track_that_moves_further_than_its_longest_side_jumps() -> None:
    people = people_of((0, 1, 50.0), (1, 1, 51.0), (2, 1, 151.0), (0, 2, 50.0), (1, 2, 120.0), (2, 2, 190.0))

    found = jumps(frames_of(3), people, limit=1.0)

    assert found.count == 1
    (case,) = found.cases

    assert case.where == "v: frame 102, track 1: moves by 1.2 sides of its bbox since frame 101"
    assert case.badness == pytest.approx(100 / 80)
    assert [shot.file for shot in case.shots] == ["1.jpg", "2.jpg"]
    assert [shot.bbox for shot in case.shots] == [(31.0, 10.0, 71.0, 90.0), (131.0, 10.0, 171.0, 90.0)]


def test_a_track_that_was_away_in_a_labelled_frame_does_not_jump() -> None:
    assert jumps(frames_of(3), people_of((0, 1, 0.0), (2, 1, 190.0)), limit=1.0).count == 0


def test_unlabelled_frames_in_between_do_not_count() -> None:
    found = jumps(frames_of(5, labeled={0, 4}), people_of((0, 1, 0.0), (4, 1, 190.0)), limit=1.0)

    assert [case.badness for case in found.cases] == [pytest.approx(190 / 80)]


def test_tracks_of_one_number_in_two_videos_are_two_people() -> None:
    people = pd.concat([people_of((0, 1, 0.0)), people_of((1, 1, 190.0)).assign(video="w")], ignore_index=True)
    frames = pd.concat([frames_of(2), frames_of(2).assign(video="w")], ignore_index=True)

    assert jumps(frames, people, limit=1.0).count == 0


def test_nobody_jumps_where_there_is_nobody() -> None:
    nobody = people_of((0, 1, 0.0)).iloc[:0]

    assert jumps(frames_of(2), nobody, limit=1.0).count == 0
    assert joints_outside(frames_of(2), nobody).count == 0


def test_joints_beyond_the_last_pixel_are_outside_and_the_furthest_counts() -> None:
    people = people_of((0, 1, 199.0), (0, 2, 200.0), (1, 3, -30.0))

    found = joints_outside(frames_of(2), people)

    assert [(case.where, case.badness) for case in found.cases] == [
        ("v: frame 101, track 3: 1 of its joints, by up to 30 pixels", 30.0),
        ("v: frame 100, track 2: 1 of its joints, by up to 1 pixels", 1.0),
    ]


def test_a_joint_that_is_not_labelled_is_nowhere() -> None:
    people = people_of((0, 1, 500.0))
    people["keypoints"].iloc[0][2] = 0

    assert joints_outside(frames_of(1), people).count == 0


def test_all_are_counted_and_the_worst_five_shown() -> None:
    found = joints_outside(frames_of(1), people_of(*((0, track, 200.0 + track) for track in range(20))))

    assert found.count == 20
    assert [case.badness for case in found.cases] == [20.0, 19.0, 18.0, 17.0, 16.0]
