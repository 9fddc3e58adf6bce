from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pipeline.release.gate import Decision, GateConfig, Standing, from_tags
from pipeline.release.gate import decide as decide_by
from pipeline.tracking.registry import Version

LIMITS = GateConfig(floor_ap=50.0, max_ap_loss=1.0, max_retention_loss=0.05, max_slowdown=1.2, draws=200, seed=0)
SEQUENCES: Mapping[str, float | None] = {f"video{number}": 60.0 + number for number in range(-3, 4)}
CANDIDATE = Standing(
    version="2",
    data_hash="d1",
    metric="PoseTrack AP",
    ap=60.0,
    sequences=SEQUENCES,
    boxes="ground truth",
    retention=0.6,
    grid_hash="g1",
)


def moved(by: float) -> dict[str, float | None]:
    """Every video's AP changed by the same."""
    return {video: None if ap is None else ap + by for video, ap in SEQUENCES.items()}


def champion(**changes: Any) -> Version:
    standing = replace(CANDIDATE, version="1", **changes)
    return Version(name="dsn-pose", version=standing.version, run_id="r", tags=standing.tags)


def decide(candidate: Standing, current: Version | None, *, slowdown: float = 1.0) -> Decision:
    return decide_by(candidate, current, LIMITS, slowdown=lambda: slowdown)


@pytest.mark.parametrize(("ap", "promoted"), [(50.0, True), (49.9, False), (None, False)])
def test_without_a_champion_the_floor_decides(ap: float | None, *, promoted: bool) -> None:
    decision = decide(replace(CANDIDATE, ap=ap), None)

    assert decision.promoted is promoted
    assert "there is no champion" in decision.reason
    assert "and PoseTrack AP" in decision.reason
    assert "floor of 50.0" in decision.reason


@pytest.mark.parametrize(
    ("by", "retention", "slowdown", "lost"),
    [
        (1.0, 0.61, 0.5, None),
        (-1.0, 0.55, 1.2, None),
        (-1.1, 0.6, 1.0, "PoseTrack AP"),
        (0.0, 0.54, 1.0, "retention"),
        (0.0, None, 1.0, "retention"),
        (0.0, 0.6, 1.21, "time"),
        (-2.0, 0.5, 2.0, "PoseTrack AP and retention and time"),
    ],
)
def test_a_candidate_may_lose_no_more_than_the_limits(
    by: float, retention: float | None, slowdown: float, lost: str | None
) -> None:
    candidate = replace(CANDIDATE, ap=60.0 + by, sequences=moved(by), retention=retention)

    decision = decide(candidate, champion(), slowdown=slowdown)

    assert decision.promoted is (lost is None)
    wanted = "loses no more than allowed to champion" if lost is None else f"loses too much {lost} to champion"
    assert wanted in decision.reason


def test_a_loss_that_the_videos_do_not_rule_out_is_a_loss() -> None:
    swinging = {video: (ap or 0.0) + 30 * (-1) ** number for number, (video, ap) in enumerate(SEQUENCES.items())}

    decision = decide(replace(CANDIDATE, sequences=swinging), champion())

    assert not decision.promoted
    assert "a video +4.29 with 95 % in -" in decision.reason


def test_an_ap_that_fell_is_a_loss_though_most_videos_stayed_as_they_were() -> None:
    before: dict[str, float | None] = {f"video{number}": 80.0 for number in range(20)}
    crowded = before | {"video0": 74.0}

    decisions = [
        decide(replace(CANDIDATE, ap=ap, sequences=crowded), champion(ap=80.0, sequences=before)) for ap in (77.0, 79.0)
    ]

    assert [decision.promoted for decision in decisions] == [False, True]
    assert "loses too much PoseTrack AP" in decisions[0].reason
    assert "PoseTrack AP 77 against 80, a video -0.30 with 95 % in -0.90 to +0.00 (may lose 1)" in decisions[0].reason


def test_with_few_videos_the_difference_itself_decides() -> None:
    few: dict[str, float | None] = {"a": 10.0, "b": 20.0, "c": None}

    decisions = [
        decide(replace(CANDIDATE, ap=ap, sequences=few), champion(sequences=few)).promoted for ap in (59.0, 58.9, None)
    ]

    assert decisions == [True, False, False]


def test_a_number_that_the_champion_lacks_cannot_be_lost() -> None:
    assert decide(CANDIDATE, champion(retention=None)).promoted
    assert decide(CANDIDATE, champion(ap=None, sequences=moved(90.0))).promoted


def test_another_data_hash_is_refused() -> None:
    decision = decide(CANDIDATE, champion(data_hash="d0", ap=1.0))

    assert not decision.promoted
    assert "version 2 was measured on data d1 and champion version 1 on d0" in decision.reason


def test_another_metric_is_refused() -> None:
    decision = decide(replace(CANDIDATE, metric="OKS-AP"), champion(ap=1.0))

    assert not decision.promoted
    assert "version 2 was measured by OKS-AP and champion version 1 by PoseTrack AP" in decision.reason


def test_another_stress_grid_is_refused_however_good_the_numbers() -> None:
    decision = decide(replace(CANDIDATE, grid_hash="g2", retention=1.0), champion(retention=0.1))

    assert not decision.promoted
    assert decision.reason == (
        "version 2 was stressed under grid g2 and champion version 1 under g1: they do not compare"
    )


@pytest.mark.parametrize("grid_hash", ["g1", None])
def test_a_champion_from_before_grids_were_kept_keeps_its_place(grid_hash: str | None) -> None:
    decision = decide(replace(CANDIDATE, grid_hash=grid_hash), champion(grid_hash=None, ap=1.0))

    assert not decision.promoted
    assert "champion version 1 under one that was not kept, so measure it again" in decision.reason


def test_a_champion_without_numbers_keeps_its_place() -> None:
    decision = decide(CANDIDATE, Version(name="dsn-pose", version="1", run_id="r", tags={}))

    assert not decision.promoted
    assert "champion version 1 did not come to the gate's end" in decision.reason


def test_the_champion_stays_champion_when_it_comes_again() -> None:
    decision = decide(replace(CANDIDATE, version="1", ap=0.0), champion())

    assert decision.promoted
    assert decision.reason == "version 1 is the champion already"


@pytest.mark.parametrize("standing", [CANDIDATE, replace(CANDIDATE, ap=1 / 3, retention=None, grid_hash=None)])
def test_numbers_come_back_from_tags_exactly(standing: Standing) -> None:
    assert from_tags(Version(name="dsn-pose", version="2", run_id="r", tags=standing.tags)) == standing


@pytest.mark.parametrize(
    ("field", "value"),
    [("floor_ap", 101.0), ("max_ap_loss", -1.0), ("max_retention_loss", -0.1), ("max_slowdown", 0.9), ("draws", 0)],
)
def test_impossible_limits_are_refused(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{field}: got {value}, wanted"):
        replace(LIMITS, **{field: value})
