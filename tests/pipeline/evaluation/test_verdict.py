import numpy as np
import pytest

from pipeline.evaluation.statistics import Interval
from pipeline.evaluation.verdict import Curves, judge, judge_kind, mean_retention, nested, rows

SPREAD = np.array([0.0, -1.0, 0.0, 1.0])


def curves(final: tuple[float, float], *, copy: float = 30.0, videos: int = 20) -> Curves:
    """`final` is AP clean and under noise of severity 4; the single frame falls from 60 to 10."""
    clean, degraded = final
    ap = {
        "final": {"clean": clean + SPREAD, "noise-4": degraded + SPREAD},
        "single_frame": {"clean": 60 + SPREAD, "noise-4": 10 + SPREAD},
        "temporal": {"clean": 45 + SPREAD},
        "copy": {"clean": copy + SPREAD},
        "interpolation": {"clean": 35 + SPREAD},
    }
    return Curves(metric="PoseTrack AP", ap=ap, videos=videos)


def lead(value: float, low: float, high: float) -> Interval:
    return Interval(value=float(value), low=float(low), high=float(high))


@pytest.mark.parametrize(
    ("leads", "clean", "videos", "finding"),
    [
        ([lead(3, 1, 5), lead(2, 1, 3)], lead(0, -1, 1), 20, "holds"),
        ([lead(3, 1, 5), lead(2, -1, 3)], lead(0, -1, 1), 20, "undecided"),
        ([lead(3, 1, 5), lead(-2, -3, -1)], lead(0, -1, 1), 20, "does not hold"),
        ([lead(3, 1, 5)], lead(-1, -2, 1), 20, "undecided"),
        ([lead(3, 1, 5)], lead(-2, -3, -1), 20, "does not hold"),
        ([lead(3, 1, 5)], lead(0, -1, 1), 4, "undecided"),
        ([lead(3, float("nan"), float("nan"))], lead(0, -1, 1), 20, "undecided"),
    ],
)
def test_the_claim_needs_every_lead_apart_from_0_and_no_clean_loss(
    leads: list[Interval], clean: Interval, videos: int, finding: str
) -> None:
    assert judge(leads, clean=clean, videos=videos) == finding


def test_the_claim_holds_where_the_final_readout_is_above_every_control() -> None:
    verdict = judge_kind(curves((62.0, 50.0)), "noise", severities=(1, 4))

    assert verdict["holds"] == "holds"
    assert verdict["text"] == (
        "Under noise of severity 4 the final readout has PoseTrack AP 50.0, the single frame 10.0, the copy 30.0 "
        "and the interpolation 35.0; its smallest lead, over interpolation, is 15.0 points "
        "(95 % interval 15.0 to 15.0, videos: 20); it keeps 80.6 % of its clean AP, the single frame 16.7 %, "
        "and clean it has 62.0 against 60.0: the claim holds."
    )


def test_the_claim_does_not_hold_where_copying_is_better() -> None:
    verdict = judge_kind(curves((62.0, 50.0), copy=55.0), "noise", severities=(4,))

    assert verdict["holds"] == "does not hold"
    assert "over copy, is -5.0 points" in verdict["text"]


def test_rows_give_ap_and_the_share_kept() -> None:
    table = rows(curves((60.0, 45.0)), kinds=("noise",), severities=(4,))

    by = {(row["method"], row["severity"]): (row["ap"], row["retention"]) for row in table}
    assert by["final", 0] == (60.0, 1.0)
    assert by["final", 4] == (45.0, 0.75)
    assert by["copy", 4] == (30.0, 1.0)
    assert {row["metric"] for row in table} == {"PoseTrack AP"}


def test_nested_rows_have_no_nan() -> None:
    table = rows(curves((0.0, 0.0)), kinds=("noise",), severities=(4,))

    assert nested(table)["final"]["noise"] == {"clean": 0.0, "s4": 0.0, "retention_s4": None}
    assert mean_retention(table) is None


def test_the_mean_retention_is_of_severe_degradation_alone() -> None:
    table = [
        {"method": method, "kind": "noise", "severity": severity, "ap": 1.0, "retention": kept}
        for method, severity, kept in (("final", 1, 0.9), ("final", 3, 0.6), ("final", 5, 0.4), ("copy", 5, 1.0))
    ]

    assert mean_retention(table) == pytest.approx(0.5)
