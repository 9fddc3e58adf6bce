from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.pages.pictures import Picture
from pipeline.refusal import Refusal
from pipeline.report.cases import clip_cases, example_cases, pick
from pipeline.report.clips import choose, keyframe_position, oks, oks_table, read_clips
from pipeline.report.config import ReportConfig
from pipeline.report.inputs import Sources, read_inputs
from pipeline.report.palette import methods
from pipeline.report.poses import into_crop, misses, window

PICTURE = Picture(name="x", data="data:,", width=60, height=80)


def table(oks_values: list[float], *, tracks: list[str], joints: int = 15) -> pd.DataFrame:
    keys = [f"k{number}" for number in range(len(oks_values))]
    frame = pd.DataFrame({"track": tracks, "joints": joints, "final": oks_values}, index=keys)
    return frame.sort_values("final", ascending=False)


def test_oks_falls_by_the_distance_in_sigmas_of_the_person() -> None:
    labels = np.array([[[10.0, 10.0, 1.0], [0.0, 0.0, 0.0], [50.0, 50.0, 1.0]]])
    points = np.array([[[13.0, 14.0], [99.0, 99.0], [50.0, 50.0]]])
    sigmas = np.array([0.1, 0.1, 0.1])

    found = oks(labels, points, bboxes=np.array([[0.0, 0.0, 10.0, 20.0]]), sigmas=sigmas)

    off = np.exp(-25 / (2 * 200 * 0.53 * 0.2**2))
    assert found == pytest.approx([(off + 1) / 2])


def test_oks_of_nobody_labelled_is_no_number() -> None:
    found = oks(
        np.zeros((1, 2, 3)), np.zeros((1, 2, 2)), bboxes=np.array([[0.0, 0.0, 5.0, 5.0]]), sigmas=np.array([0.1, 0.1])
    )

    assert np.isnan(found).all()


def test_people_are_ordered_by_the_final_readout(sources: Sources) -> None:
    inputs = read_inputs(sources)

    found = oks_table(inputs.people, inputs.predictions, skeleton=inputs.skeleton)

    assert len(found) == 9
    assert found["final"].is_monotonic_decreasing
    assert found.index[0] == "000001_drawn-000003-000"
    assert (found["joints"] == 15).all()
    assert (found["final"] > found["mean_pose"]).all()


def test_predictions_of_other_people_are_refused(sources: Sources) -> None:
    inputs = read_inputs(sources)
    foreign = {"final": inputs.predictions["final"].assign(key="000009_other-000000-000")}

    with pytest.raises(Refusal, match="000009_other-000000-000"):
        oks_table(inputs.people, foreign, skeleton=inputs.skeleton)


def test_best_median_and_worst_are_chosen_in_order(config: ReportConfig) -> None:
    values = [0.1, 0.9, 0.5, 0.7, 0.2]

    chosen = choose(table(values, tracks=list("abcde")), config, joints=5)

    assert chosen == {"k1": "best", "k2": "median", "k4": "worst", "k0": "worst"}
    assert list(chosen) == ["k1", "k2", "k4", "k0"]


def test_nobody_is_shown_twice(config: ReportConfig) -> None:
    chosen = choose(table([0.9, 0.8, 0.7, 0.1, 0.2, 0.3], tracks=list("aabbbc")), config, joints=5)

    assert chosen == {"k0": "best", "k5": "worst", "k3": "worst"}


def test_people_with_few_labels_are_not_shown(config: ReportConfig) -> None:
    assert choose(table([0.9, 0.1], tracks=["a", "b"], joints=4), config, joints=5) == {}


def test_records_come_whole_out_of_the_tars(sources: Sources) -> None:
    key = "000001_drawn-000003-004"

    found = read_clips(sources.val, [key])

    assert list(found) == [key]
    assert len(found[key].frames) == 3
    assert found[key].sample["track_id"] == 4
    assert keyframe_position(sources.val) == 1


def test_a_record_that_is_in_no_tar_is_refused(sources: Sources) -> None:
    with pytest.raises(Refusal, match="got no record nobody-000000-000"):
        read_clips(sources.val, ["nobody-000000-000"])


def test_poses_of_the_source_frame_are_drawn_in_the_crop(sources: Sources, config: ReportConfig) -> None:
    inputs = read_inputs(sources)

    case = clip_cases(inputs, config, methods=methods([]))[0]

    truth = case.panels[0]
    labels = np.asarray(inputs.people["keypoints"][0]).reshape(-1, 3)[:, :2]
    nose = (labels[0] - [0, 50]) / 4
    assert case.title == "best"
    assert [panel.method.name for panel in case.panels] == ["truth", "final", "temporal", "visual"]
    assert truth.pose.joints[0] == pytest.approx(tuple(nose), abs=0.06)
    assert len(truth.pose.joints) == 15
    assert truth.picture is case.strip[1]


def test_wrong_joints_are_those_out_of_reach() -> None:
    labels = np.zeros((3, 2))
    points = np.array([[4.9, 0.0], [0.0, 5.1], [9.0, 9.0]])
    labelled = np.array([True, True, False])

    assert misses(points, labels, labelled=labelled, reach=5.0) == ((0.0, 5.1, 0.0, 0.0),)
    assert misses(points, labels, labelled=labelled, reach=None) == ()


def test_an_affine_is_undone() -> None:
    points = np.array([[110.0, 220.0]])

    assert into_crop(points, [[2.0, 0.0, 100.0], [0.0, 4.0, 200.0]]) == pytest.approx(np.array([[5.0, 5.0]]))


def test_the_window_holds_all_points_and_keeps_the_aspect() -> None:
    left, top, width, height = window(np.array([[20.0, 30.0], [30.0, 50.0]]), PICTURE)

    assert (width, height) == pytest.approx((18.6, 24.8))
    assert left < 20
    assert left + width > 30
    assert top < 30
    assert top + height > 50


def test_the_window_ends_with_the_picture() -> None:
    assert window(np.array([[-40.0, 0.0], [400.0, 10.0]]), PICTURE) == (0.0, 0.0, 60.0, 80.0)
    assert window(np.array([[0.0, 0.0], [5.0, 5.0]]), PICTURE)[:2] == (0.0, 0.0)


def test_examples_take_the_kinds_in_turn_and_the_severe_first() -> None:
    examples = [
        {"kind": kind, "severity": severity}
        for kind, severity in (("black", 3), ("black", 5), ("noise", 1), ("noise", 4), ("black", 4))
    ]

    found = [(example["kind"], example["severity"]) for example in pick(examples, 4)]

    assert found == [("black", 5), ("noise", 4), ("black", 4), ("noise", 1)]


def test_an_example_shows_every_method_on_the_degraded_keyframe(sources: Sources, config: ReportConfig) -> None:
    cases = example_cases(read_inputs(sources), config, methods=methods([]))

    assert [case.title for case in cases] == ["black, severity 5", "motion blur, severity 4"]
    names = [panel.method.name for panel in cases[0].panels]
    assert names == ["truth", "final", "temporal", "single_frame", "interpolation", "copy"]
    assert cases[0].panels[0].picture not in cases[0].strip
    # The control `copy` was drawn 6 pixels off, which is more than half of a head of 10 pixels.
    assert [len(panel.misses) for panel in cases[0].panels] == [0, 0, 0, 0, 15, 15]


def test_a_file_that_is_no_image_is_named(sources: Sources, config: ReportConfig) -> None:
    first: Path = next((sources.stress / "examples").glob("*-000-a.jpg"))
    first.write_bytes(b"no image")

    with pytest.raises(ValueError, match="example-0: got 8 bytes"):
        example_cases(read_inputs(sources), config, methods=methods([]))
