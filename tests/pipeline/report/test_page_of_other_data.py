"""The page where val's people were found by a detector, and where the skeleton is not PoseTrack's."""

import dataclasses
import html
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dsn import skeleton as skeletons
from dsn.skeleton import POSETRACK
from pipeline.artifacts import read_json, write_json
from pipeline.report.cases import clip_cases, example_cases
from pipeline.report.charts import joint_charts, stress_charts
from pipeline.report.config import ReportConfig
from pipeline.report.inputs import Sources, read_inputs
from pipeline.report.page import render
from pipeline.report.palette import methods
from pipeline.report.poses import reach_of

GROUPS = [name for name, _ in POSETRACK.groups]


def words(page: str) -> str:
    text = re.sub(r"<(style|svg).*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(text).split())


def change(path: Path, **changes: Any) -> None:
    write_json(path, read_json(path) | changes)


def change_table(path: Path, **columns: Any) -> None:
    pd.read_csv(path).assign(**columns).to_csv(path, index=False)


@pytest.fixture
def detected(sources: Sources) -> Sources:
    """Val's people were found by a detector."""
    change(
        sources.evaluation / "metrics.json",
        boxes="detected (boxes.json, sha256 abc, score at least 0.4)",
        box_source={"file": "boxes.json", "sha256": "abc", "min_score": 0.4},
    )
    return sources


@pytest.fixture
def other(sources: Sources) -> Sources:
    """PoseTrack's joints under another name, and people without heads."""
    write_json(sources.index / "skeleton.json", skeletons.to_dict(dataclasses.replace(POSETRACK, name="mine")))
    metrics = read_json(sources.evaluation / "metrics.json")
    for entry in (*metrics["readouts"].values(), *metrics["controls"].values()):
        entry["pck"], entry["ap"] = dict.fromkeys([*GROUPS, "Total"], 77.7), {"Total": entry["oks_ap"]}
        entry |= {"oks_ap75": 22.2, "oks_ar": 55.5, "mota": None}
    write_json(sources.evaluation / "metrics.json", metrics | {"metric": "OKS-AP"})
    change_table(sources.evaluation / "joints.csv", metric="PCK@0.2")
    change_table(sources.stress / "curves.csv", metric="OKS-AP")
    change(sources.train / "run.json", yardstick={"name": "PCK@0.2", "unit": "bbox_size", "threshold": 0.2})
    return sources


def test_of_detected_people_the_page_shows_no_clips_and_says_why(detected: Sources, config: ReportConfig) -> None:
    inputs = read_inputs(detected)

    text = words(render(inputs, config))

    assert clip_cases(inputs, config, methods=methods([])) == []
    assert "There are none: the evaluation's people were found by a detector" in text
    assert "9 people; boxes: detected (boxes.json, sha256 abc, score at least 0.4)" in text
    assert "Accuracy with detected people" not in text
    assert len(example_cases(inputs, config, methods=methods([]))) == 2


def test_another_skeletons_page_names_its_metrics_wherever_numbers_stand(other: Sources, config: ReportConfig) -> None:
    page = render(read_inputs(other), config)

    text = words(page)
    assert "33.3 OKS-AP of the final readout on val, 95 % interval over draws of videos 55.5 to 66.6: 9 people" in text
    assert "OKS-AP with the sigmas of the skeleton mine" in text
    assert "OKS-AP by severity of the degradation" in text
    assert "Joints are scored by PCK@0.2" in text
    assert "off by more than a fifth of the longer side of the box" in text
    assert "PoseTrack AP," not in page
    assert "PCKh" not in page
    assert "PCK@0.2, %" in page


def test_another_skeletons_charts_are_of_its_pck_and_oks_ap(other: Sources) -> None:
    inputs = read_inputs(other)

    grouped, single = joint_charts(inputs, methods([]))

    assert {one.label: set(one.y) for one in grouped.series}["final"] == {77.7}
    assert all("PCK@0.2, %" in chart.svg for chart in (grouped, single))
    assert all("OKS-AP, %" in chart.svg for chart in stress_charts(inputs.curves, methods([])).values())


def test_another_skeletons_table_has_pck_by_group_and_more_of_oks(other: Sources, config: ReportConfig) -> None:
    page = render(read_inputs(other), config)

    rows = [re.sub(r"<[^>]*>", " ", row).split() for row in re.findall(r"<tr>(.*?)</tr>", page, flags=re.DOTALL)]
    assert [*GROUPS, "Total", "OKS-AP", "OKS-AP50", "OKS-AP75", "OKS-AR"] in rows
    assert ["final", *["77.7"] * 8, "33.3", "66.6", "22.2", "55.5"] in rows


def test_another_skeletons_detected_people_have_no_scores_by_joint(other: Sources, config: ReportConfig) -> None:
    change(other.evaluation / "metrics.json", boxes="detected (b)", box_source={"file": "b"})
    change_table(other.evaluation / "joints.csv", score=None)
    inputs = read_inputs(other)

    text = words(render(inputs, config))

    assert joint_charts(inputs, methods([])) == []
    assert "Joints have no scores of their own" in text
    assert "OKS-AP by xtcocotools, in percent" in text
    assert "PCK@0.2 by group" not in text


def test_a_skeleton_of_few_joints_is_shown_when_all_are_labelled(other: Sources, config: ReportConfig) -> None:
    few = dataclasses.replace(POSETRACK, name="few", scored=(0, 1, 2))
    write_json(other.index / "skeleton.json", skeletons.to_dict(few))

    cases = clip_cases(read_inputs(other), config, methods=methods([]))

    assert [case.panels[0].notes for case in cases] == [("3 joints",)] * 4


def test_joints_of_other_skeletons_are_wrong_beyond_a_fifth_of_the_bbox(other: Sources, config: ReportConfig) -> None:
    cases = example_cases(read_inputs(other), config, methods=methods([]))

    # Bboxes are 64 pixels long; the farthest control is eight off.
    assert [len(panel.misses) for panel in cases[0].panels] == [0] * 6
    assert reach_of(None, 64.0, is_official=False) == pytest.approx(12.8)
    assert reach_of(10.0, 64.0, is_official=True) == 5
    assert reach_of(None, 64.0, is_official=True) is None
