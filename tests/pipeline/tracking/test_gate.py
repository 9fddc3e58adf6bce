import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.refusal import Refusal
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.gate import GateConfig, Standing, decide, from_tags, measured, promote
from pipeline.tracking.locks import lock_file
from pipeline.tracking.registry import Version, find, point

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

LIMITS = GateConfig(floor_ap=50.0, max_ap_loss=1.0, max_retention_loss=0.05)
CANDIDATE = Standing(version="2", data_hash="d1", metric="PoseTrack AP", ap=60.0, boxes="ground truth", retention=0.6)


def champion(**changes: Any) -> Version:
    standing = replace(
        Standing(version="1", data_hash="d1", metric="PoseTrack AP", ap=60.0, boxes="ground truth", retention=0.6),
        **changes,
    )
    return Version(name="dsn-pose", version=standing.version, run_id="r", tags=standing.tags)


def metrics(ap: float | None = 60.0, retention: float | None = 0.6, *, data: str = "d1") -> dict[str, Any]:
    return {
        "evaluation": {
            "data_hash": data,
            "metric": "PoseTrack AP",
            "boxes": "ground truth",
            "readouts": {"final": {"ap": {"Total": ap}}},
        },
        "stress": {"data_hash": data, "retention": retention},
    }


@pytest.mark.parametrize(("ap", "promoted"), [(50.0, True), (49.9, False), (None, False)])
def test_without_a_champion_the_floor_decides(ap: float | None, *, promoted: bool) -> None:
    decision = decide(replace(CANDIDATE, ap=ap), None, LIMITS)

    assert decision.promoted is promoted
    assert "there is no champion" in decision.reason
    assert "and PoseTrack AP" in decision.reason
    assert "floor of 50.0" in decision.reason


@pytest.mark.parametrize(
    ("ap", "retention", "lost"),
    [
        (61.0, 0.61, None),
        (59.0, 0.55, None),
        (58.9, 0.6, "PoseTrack AP"),
        (60.0, 0.54, "retention"),
        (58.0, 0.5, "PoseTrack AP and retention"),
        (None, 0.6, "PoseTrack AP"),
        (60.0, None, "retention"),
    ],
)
def test_a_candidate_may_lose_no_more_than_the_limits(
    ap: float | None, retention: float | None, lost: str | None
) -> None:
    decision = decide(replace(CANDIDATE, ap=ap, retention=retention), champion(retention=0.6), LIMITS)

    assert decision.promoted is (lost is None)
    wanted = "loses no more than allowed to champion" if lost is None else f"loses too much {lost} to champion"
    assert wanted in decision.reason


def test_a_number_that_the_champion_lacks_cannot_be_lost() -> None:
    assert decide(CANDIDATE, champion(retention=None), LIMITS).promoted


def test_another_data_hash_is_refused() -> None:
    decision = decide(CANDIDATE, champion(data_hash="d0", ap=1.0), LIMITS)

    assert not decision.promoted
    assert "version 2 was measured on data d1 and champion version 1 on d0" in decision.reason


def test_another_metric_is_refused() -> None:
    decision = decide(replace(CANDIDATE, metric="OKS-AP"), champion(ap=1.0), LIMITS)

    assert not decision.promoted
    assert "version 2 was measured by OKS-AP and champion version 1 by PoseTrack AP" in decision.reason


def test_a_champion_without_numbers_keeps_its_place() -> None:
    decision = decide(CANDIDATE, Version(name="dsn-pose", version="1", run_id="r", tags={}), LIMITS)

    assert not decision.promoted
    assert "champion version 1 did not come through the gate" in decision.reason


def test_the_champion_stays_champion_when_it_comes_again() -> None:
    decision = decide(replace(CANDIDATE, version="1", ap=0.0), champion(), LIMITS)

    assert decision.promoted
    assert decision.reason == "version 1 is the champion already"


@pytest.mark.parametrize("standing", [CANDIDATE, replace(CANDIDATE, ap=1 / 3, retention=None)])
def test_numbers_come_back_from_tags_exactly(standing: Standing) -> None:
    assert from_tags(Version(name="dsn-pose", version="2", run_id="r", tags=standing.tags)) == standing


def test_metrics_of_different_data_are_refused() -> None:
    evaluation, stress = metrics()["evaluation"], metrics(data="d2")["stress"]

    with pytest.raises(Refusal, match=re.escape("evaluation on data d1, stress on d2")):
        measured("2", evaluation=evaluation, stress=stress)


@pytest.mark.parametrize(("field", "value"), [("floor_ap", 101.0), ("max_ap_loss", -1.0), ("max_retention_loss", -0.1)])
def test_impossible_limits_are_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field}: got {value}, wanted"):
        replace(LIMITS, **{field: value})


def test_a_promotion_moves_the_champion_and_keeps_the_previous_one(
    tracking: TrackingConfig, version: Callable[[], Version]
) -> None:
    first, second = version(), version()
    promote(tracking, LIMITS, version=first.version, **metrics())

    result = promote(tracking, LIMITS, version=second.version, **metrics(ap=62.5))

    assert (result["promoted"], result["version"], result["champion_before"]) == (True, "2", "1")
    holders = {alias: find(tracking, alias=alias) for alias in ("champion", "previous")}
    assert {alias: found.version for alias, found in holders.items() if found} == {"champion": "2", "previous": "1"}


def test_a_refusal_moves_nothing_and_is_kept_on_the_version(
    tracking: TrackingConfig, version: Callable[[], Version]
) -> None:
    first, second = version(), version()
    promote(tracking, LIMITS, version=first.version, **metrics())

    result = promote(tracking, LIMITS, version=second.version, **metrics(ap=50.0))

    current, candidate = (find(tracking, alias=alias) for alias in ("champion", "candidate"))
    assert result["promoted"] is False
    assert current is not None
    assert candidate is not None
    assert current.version == "1"
    assert find(tracking, alias="previous") is None
    assert candidate.tags["gate.decision"] == result["reason"]
    assert candidate.tags["gate.ap"] == "50.0"


def test_the_champion_measured_again_keeps_its_place_with_new_numbers(
    tracking: TrackingConfig, version: Callable[[], Version]
) -> None:
    only = version()
    promote(tracking, LIMITS, version=only.version, **metrics())

    result = promote(tracking, LIMITS, version=only.version, **metrics(ap=55.0, data="d2"))

    current = find(tracking, alias="champion")
    assert result["promoted"] is True
    assert current is not None
    assert from_tags(current) == Standing(
        version="1", data_hash="d2", metric="PoseTrack AP", ap=55.0, boxes="ground truth", retention=0.6
    )
    assert find(tracking, alias="previous") is None


def test_a_champion_crowned_by_hand_is_not_replaced(tracking: TrackingConfig, version: Callable[[], Version]) -> None:
    first, second = version(), version()
    point(tracking, alias="champion", version=first.version)

    assert promote(tracking, LIMITS, version=second.version, **metrics(ap=99.0))["promoted"] is False


def test_changes_on_one_host_wait_for_one_file(tracking: TrackingConfig, tmp_path: Path) -> None:
    local = replace(tracking, uri=f"sqlite:///{tmp_path}/mlflow.db")
    server = replace(tracking, uri="https://user:secret@mlflow.example")

    assert lock_file(local) == tmp_path / "mlflow.db.registry.lock"
    assert lock_file(server) == lock_file(server)
    assert "secret" not in str(lock_file(server))
