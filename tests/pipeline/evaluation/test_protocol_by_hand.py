"""Results of the official protocol that were worked out by hand; a joint is hit within 15 pixels."""

from collections.abc import Callable
from typing import Any

import pytest

from dsn.skeleton import POSETRACK

Json = dict[str, Any]
Build = Callable[..., Json]
Pose = dict[str, tuple[float, float]]


def _moved(pose: Pose, joint: str, *, by: float) -> Pose:
    x, y = pose[joint]
    return pose | {joint: (x, y + by)}


def test_a_joint_15_pixels_off_is_hit(person: Build, document: Build, scored: Build, full_pose: Pose) -> None:
    found = person(0, _moved(full_pose, "nose", by=15), score=0.5)

    result = scored(document(1, [person(0, full_pose)]), document(1, [found]))

    assert result["ap"]["nose"] == pytest.approx(100)
    assert result["ap"]["total"] == pytest.approx(100)


def test_a_joint_16_pixels_off_is_missed_and_the_total_is_the_mean_of_joints_not_of_columns(
    person: Build, document: Build, scored: Build, full_pose: Pose
) -> None:
    found = person(0, _moved(full_pose, "nose", by=16), score=0.5)

    result = scored(document(1, [person(0, full_pose)]), document(1, [found]))

    assert result["ap"]["nose"] == 0
    assert result["ap"]["total"] == pytest.approx(1400 / 15)
    assert result["ap_grouped"]["Head"] == pytest.approx(200 / 3)


def test_right_wrong_right_of_three_has_the_area_one_third_and_two_ninths(
    person: Build, document: Build, scored: Build, full_pose: Pose
) -> None:
    truth = [person(frame, full_pose) for frame in range(3)]
    found = [
        person(0, full_pose, score=0.9),
        person(1, _moved(full_pose, "nose", by=60), score=0.8),
        person(2, full_pose, score=0.7),
    ]

    result = scored(document(3, truth), document(3, found))

    assert result["ap"]["nose"] == pytest.approx(100 * (1 / 3 + 2 / 9))
    assert result["precision"]["nose"] == pytest.approx(200 / 3)
    assert result["recall"]["nose"] == pytest.approx(200 / 3)


def test_a_joint_predicted_but_never_annotated_has_no_ap_and_takes_it_from_its_column_only(
    person: Build, document: Build, scored: Build, full_pose: Pose
) -> None:
    annotated = {name: point for name, point in full_pose.items() if name != "nose"}

    result = scored(document(1, [person(0, annotated)]), document(1, [person(0, full_pose, score=0.5)]))

    assert result["ap"]["nose"] is None
    assert result["recall"]["nose"] is None
    assert result["precision"]["nose"] == 0
    assert result["ap_grouped"]["Head"] is None
    assert result["ap"]["total"] == pytest.approx(100)


def test_a_joint_neither_predicted_nor_annotated_counts_as_zero(
    person: Build, document: Build, scored: Build, full_pose: Pose
) -> None:
    annotated = {name: point for name, point in full_pose.items() if name != "nose"}

    result = scored(document(1, [person(0, annotated)]), document(1, [person(0, annotated, score=0.5)]))

    assert result["ap"]["nose"] == 0
    assert result["ap"]["total"] == pytest.approx(1400 / 15)


def test_a_prediction_that_loses_its_best_person_gets_no_other(
    person: Build, document: Build, scored: Build, full_pose: Pose
) -> None:
    nearby = {name: (x, y + 12) for name, (x, y) in full_pose.items()}
    truth = [person(0, full_pose, track=0), person(0, nearby, track=1)]
    # Both predictions reach both people at 100 %, and so both prefer the first; the second person stays unmatched.
    found = [person(0, full_pose, track=0, score=0.9), person(0, nearby, track=1, score=0.8)]

    result = scored(document(1, truth), document(1, found))

    assert result["recall"]["nose"] == pytest.approx(50)
    assert result["precision"]["nose"] == pytest.approx(50)


def test_predictions_count_in_a_frame_with_an_empty_annotation_but_not_in_a_frame_without_one(
    person: Build, document: Build, scored: Build, full_pose: Pose
) -> None:
    truth = [person(0, full_pose), person(1, {})]
    found = [person(frame, full_pose, score=0.9 - frame / 10) for frame in range(3)]

    result = scored(document(3, truth), document(3, found))

    assert result["n_gt_frames_evaluated"] == 2
    assert result["n_scored_predictions"]["nose"] == 2
    assert result["precision"]["nose"] == pytest.approx(50)


def test_joints_inside_an_ignore_region_go_on_both_sides_and_joints_on_its_border_stay(
    person: Build, document: Build, scored: Build
) -> None:
    square: Json = {"ignore_regions_x": [[0, 40, 40, 0]], "ignore_regions_y": [[0, 0, 40, 40]]}
    pose: Pose = {"nose": (20, 20), "head_top": (40, 20), "left_knee": (80, 20)}

    result = scored(document(1, [person(0, pose)], **square), document(1, [person(0, pose, score=0.5)]))

    assert {joint: result["n_gt_joints"][joint] for joint in ("nose", "head_top", "left_knee")} == {
        "nose": 0,
        "head_top": 1,
        "left_knee": 1,
    }
    assert result["n_scored_predictions"]["nose"] == 0


def test_people_without_scores_are_tied_and_stand_in_reading_order(
    person: Build, document: Build, scored: Build, full_pose: Pose
) -> None:
    truth = [person(frame, full_pose) for frame in range(2)]
    found = [person(0, full_pose), person(1, _moved(full_pose, "nose", by=60))]

    result = scored(document(2, truth), document(2, found))

    assert result["tie_sensitive"] is True
    assert result["ap"]["nose"] == pytest.approx(50)


def test_a_point_at_the_origin_is_present_where_its_third_number_is_not_zero(
    person: Build, document: Build, scored: Build, full_pose: Pose
) -> None:
    pose = full_pose | {"nose": (0.0, 0.0)}

    result = scored(document(1, [person(0, pose)]), document(1, [person(0, pose, score=0.5)]))

    assert result["n_gt_joints"]["nose"] == 1
    assert result["ap"]["nose"] == pytest.approx(100)


def test_joints_go_by_name_and_not_by_place(person: Build, document: Build, scored: Build, full_pose: Pose) -> None:
    found = document(1, [person(0, full_pose, score=0.5)])
    annotation = found["annotations"][0]
    triples = [annotation["keypoints"][3 * channel : 3 * channel + 3] for channel in range(17)]
    annotation["keypoints"] = [value for triple in reversed(triples) for value in triple]
    found["categories"][0]["keypoints"] = list(reversed(POSETRACK.joints))

    result = scored(document(1, [person(0, full_pose)]), found)

    assert result["ap"]["total"] == pytest.approx(100)


def test_one_switch_among_three_objects_costs_a_third_of_mota_and_the_last_frame_does_not_count(
    person: Build, document: Build, scored: Build, full_pose: Pose
) -> None:
    truth = [person(frame, full_pose, track=5) for frame in range(4)]
    found = [person(frame, full_pose, track=track, score=0.5) for frame, track in enumerate((1, 1, 2, 3))]

    mot = scored(document(4, truth), document(4, found))["mot"]

    assert mot["mota"]["nose"] == pytest.approx(200 / 3)
    assert mot["pre"]["nose"] == pytest.approx(100)
    assert mot["rec"]["nose"] == pytest.approx(100)


def test_motp_of_matches_is_what_is_left_of_the_mean_distance(
    person: Build, document: Build, scored: Build, full_pose: Pose
) -> None:
    truth = [person(frame, full_pose) for frame in range(3)]
    found = [person(frame, _moved(full_pose, "nose", by=by), score=0.5) for frame, by in enumerate((3.0, 9.0, 0.0))]

    mot = scored(document(3, truth), document(3, found))["mot"]

    assert mot["motp_match_only"]["nose"] == pytest.approx(100 * (1 - (0.1 + 0.3) / 2))
    # The printed one adds every allowed pair once more.
    assert mot["motp"]["nose"] == pytest.approx(100 * (1 - 2 * (0.1 + 0.3) / 2))


def test_no_predictions_at_all_give_a_mota_of_minus_100(
    person: Build, document: Build, scored: Build, full_pose: Pose
) -> None:
    result = scored(document(3, [person(frame, full_pose) for frame in range(3)]), document(3, []))

    assert result["mot"]["mota"]["total"] == pytest.approx(-100)
    assert result["ap"]["total"] == 0
