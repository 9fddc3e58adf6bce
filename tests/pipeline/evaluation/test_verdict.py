from dataclasses import replace

import numpy as np
import pytest

from pipeline.evaluation.conditions import Condition, Grid
from pipeline.evaluation.results import by_severity, mean_retention, nested
from pipeline.evaluation.statistics import Interval
from pipeline.evaluation.verdict import Claim, Curves, judge, judge_claim

SPREAD = np.array([0.0, -1.0, 0.0, 1.0])
GRID = Grid(kinds=("noise",), severities=(4,), targets=("keyframe",), strides=(1,), seed=0)
CLEAN = Condition(stride=1)
BAD = GRID.condition("noise", 4, target="keyframe", stride=1)
CLAIM = Claim(kind="noise", stride=1)


def curves(final: tuple[float, float], *, copy: float = 30.0, videos: int = 20) -> Curves:
    """`final` is AP clean and under noise of severity 4; the single frame falls from 60 to 10."""
    clean, degraded = final
    ap = {
        "final": {CLEAN: clean + SPREAD, BAD: degraded + SPREAD},
        "single_frame": {CLEAN: 60 + SPREAD, BAD: 10 + SPREAD},
        "temporal": {CLEAN: 45 + SPREAD},
        "copy": {CLEAN: copy + SPREAD},
        "interpolation": {CLEAN: 35 + SPREAD},
        "mean_heatmaps": {CLEAN: 34 + SPREAD},
        **{name: {CLEAN: 60 + SPREAD, BAD: 20 + SPREAD} for name in ("cut", "still", "shuffled", "single_stream")},
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
    assert judge(leads, clean=clean, videos=videos, missing=()) == finding


@pytest.mark.parametrize(("value", "finding"), [(3, "undecided"), (-3, "does not hold")])
def test_without_a_required_control_the_claim_can_fail_but_not_hold(value: float, finding: str) -> None:
    leads = [lead(value, value - 1, value + 1)]

    assert judge(leads, clean=lead(0, -1, 1), videos=20, missing=("cut",)) == finding


def test_the_claim_holds_where_the_final_readout_is_above_every_control() -> None:
    verdict = judge_claim(curves((62.0, 50.0)), CLAIM, grid=GRID)

    assert verdict["holds"] == "holds"
    assert verdict["text"] == (
        "Under noise of severity 4 the final readout has PoseTrack AP 50.0; of the controls: single frame 10.0, copy "
        "30.0, interpolation 35.0, mean heatmaps 34.0, cut 20.0, still 20.0, shuffled 20.0, single stream 20.0. It "
        "keeps 80.6 % of its clean AP, the single frame 16.7 %, and clean it has 62.0 against 60.0. Its "
        "smallest lead, over interpolation at severity 4, is 15.0 points (95 % interval 15.0 to 15.0, videos: 20): the "
        "claim holds."
    )


def test_a_claim_that_a_required_control_could_overturn_is_undecided_and_names_it() -> None:
    found = curves((62.0, 50.0))
    less = replace(found, ap={name: ap for name, ap in found.ap.items() if name not in ("cut", "single_stream")})

    verdict = judge_claim(less, CLAIM, grid=GRID)

    assert verdict["holds"] == "undecided"
    assert verdict["text"].endswith("; it was not compared with cut, single stream: the claim is undecided.")


def test_the_claim_does_not_hold_where_copying_is_better() -> None:
    verdict = judge_claim(curves((62.0, 50.0), copy=55.0), CLAIM, grid=GRID)

    assert verdict["holds"] == "does not hold"
    assert "over copy at severity 4, is -5.0 points" in verdict["text"]
    assert "its AP is not clearly above that of copy: the claim does not hold." in verdict["text"]


def test_the_claim_does_not_hold_where_it_costs_clean_accuracy() -> None:
    verdict = judge_claim(curves((55.0, 50.0)), CLAIM, grid=GRID)

    assert verdict["holds"] == "does not hold"
    assert "; clean it is below the single frame: the claim does not hold." in verdict["text"]


def test_a_claim_on_few_videos_is_undecided_and_says_why() -> None:
    found = curves((62.0, 50.0), videos=4)
    no_draws = {name: {where: ap[:1] for where, ap in by.items()} for name, by in found.ap.items()}

    verdict = judge_claim(replace(found, ap=no_draws), CLAIM, grid=GRID)

    assert verdict["holds"] == "undecided"
    assert verdict["text"].endswith(
        "is 15.0 points (videos: 4), and with fewer than 5 videos there is no interval: the claim is undecided."
    )


def test_claims_at_other_strides_have_names_of_their_own() -> None:
    assert Claim(kind="motion_blur", stride=1).name == "motion_blur"
    assert Claim(kind="motion_blur", stride=4).name == "motion_blur, stride 4"


def test_what_is_blind_to_a_condition_keeps_everything() -> None:
    found = curves((60.0, 45.0))

    assert found.retention("final", BAD)[0] == 0.75
    assert found.retention("copy", BAD)[0] == 1.0


def row(method: str, severity: int, *, ap: float, kept: float, kind: str = "noise") -> dict[str, object]:
    return {"method": method, "kind": kind, "severity": severity, "ap": ap, "retention": kept}


def test_nested_rows_have_no_nan() -> None:
    table = [row("final", 0, ap=0.0, kept=np.nan), row("final", 4, ap=0.0, kept=np.nan)]

    assert nested(table)["final"]["noise"] == {"clean": 0.0, "s4": 0.0, "retention_s4": None}
    assert mean_retention(table) is None


def test_the_mean_retention_is_of_severe_degradation_alone() -> None:
    cells = (("final", 1, 0.9), ("final", 3, 0.6), ("final", 5, 0.4), ("copy", 5, 1.0))

    assert mean_retention(
        [row(method, severity, ap=1.0, kept=kept) for method, severity, kept in cells]
    ) == pytest.approx(0.5)


def test_the_plotted_table_averages_over_kinds() -> None:
    table = [
        row("final", 3, ap=40.0, kept=1.0),
        row("final", 3, ap=20.0, kept=1.0, kind="black"),
        row("copy", 3, ap=7.0, kept=1.0),
    ]

    assert by_severity(table) == [{"severity": 3, "final": 30.0, "copy": 7.0}]
