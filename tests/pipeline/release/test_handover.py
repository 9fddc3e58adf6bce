"""A move of the aliases that was cut off somewhere, as its tag and the aliases say, is completed by the next call."""

import json
from collections.abc import Callable
from dataclasses import asdict

import pytest

from pipeline.refusal import Refusal
from pipeline.release.gate import GateConfig
from pipeline.release.handover import DECISIONS, UNDER_WAY, Handover
from pipeline.release.promotion import promote, rollback
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registry import Version, find, model_tags, point, tag_model
from tests.world.registry import metrics

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

LIMITS = GateConfig(floor_ap=50.0, max_ap_loss=1.0, max_retention_loss=0.05, max_slowdown=20.0, draws=200, seed=0)
BACK = Handover(what="rollback", champion="1", previous="2", reason="version 1 again", time="2026-01-01T00:00:00+00:00")
ON = Handover(what="promotion", champion="3", previous="2", reason="better", time="2026-01-01T00:00:00+00:00")

Add = Callable[[], Version]


def crowned(tracking: TrackingConfig, version: Add, *, more: int = 0) -> None:
    """Version 2 is champion after version 1; there are `more` versions."""
    added = [version() for _ in range(2 + more)]
    for alias, one in zip(("previous", "champion"), added, strict=False):
        point(tracking, alias=alias, version=one.version)


def cut_off(tracking: TrackingConfig, handover: Handover, **aliases: str) -> None:
    """Leave a move as it was when the aliases stood so."""
    tag_model(tracking, key=UNDER_WAY, value=json.dumps(asdict(handover)))
    for alias, version in aliases.items():
        point(tracking, alias=alias, version=version)


def holders(tracking: TrackingConfig) -> dict[str, str]:
    found = {alias: find(tracking, alias=alias) for alias in ("champion", "previous")}
    assert UNDER_WAY not in model_tags(tracking)
    return {alias: version.version for alias, version in found.items() if version}


STATES = [
    {"champion": "2", "previous": "1"},
    {"champion": "2", "previous": "2"},
    {"champion": "1", "previous": "2"},
]


@pytest.mark.parametrize("aliases", STATES, ids=["told", "halved", "moved"])
def test_a_rollback_cut_off_anywhere_is_completed_by_the_next_which_does_no_more(
    tracking: TrackingConfig, version: Add, *, aliases: dict[str, str]
) -> None:
    crowned(tracking, version)
    cut_off(tracking, BACK, **aliases)

    assert rollback(tracking) == BACK.reason

    assert holders(tracking) == {"champion": "1", "previous": "2"}
    noted = find(tracking, alias="champion")
    assert noted is not None
    assert json.loads(noted.tags[DECISIONS]) == [
        {"time": BACK.time, "what": "champion by rollback", "reason": BACK.reason}
    ]


def test_a_promotion_after_a_rollback_cut_in_half_meets_the_champion_that_it_made(
    tracking: TrackingConfig, version: Add
) -> None:
    crowned(tracking, version)
    cut_off(tracking, BACK, champion="2", previous="2")
    second = find(tracking, alias="candidate")
    assert second is not None

    result = promote(tracking, LIMITS, version=second, **metrics())

    assert (result["promoted"], result["champion_before"]) == (False, "1")
    assert holders(tracking) == {"champion": "1", "previous": "2"}


def test_a_promotion_cut_in_half_is_completed_and_then_undone_by_a_rollback(
    tracking: TrackingConfig, version: Add
) -> None:
    crowned(tracking, version, more=1)
    cut_off(tracking, ON, champion="2", previous="2")

    assert rollback(tracking) == "version 2 is champion again in place of version 3"

    assert holders(tracking) == {"champion": "2", "previous": "3"}


def test_a_move_to_a_version_that_was_deleted_since_is_refused_with_what_to_do(
    tracking: TrackingConfig, version: Add
) -> None:
    crowned(tracking, version)
    tag_model(tracking, key=UNDER_WAY, value=json.dumps(asdict(ON) | {"champion": "9"}))

    with pytest.raises(Refusal, match=r"no version 9 .*a promotion was cut off that makes version 9 champion: set the"):
        rollback(tracking)


def test_one_version_under_both_aliases_has_nothing_to_be_exchanged_with(
    tracking: TrackingConfig, version: Add
) -> None:
    crowned(tracking, version)
    point(tracking, alias="previous", version="2")

    with pytest.raises(Refusal, match="got version 2 as champion and as previous, wanted two to exchange"):
        rollback(tracking)


def test_a_model_that_was_never_registered_has_nothing_to_complete_or_roll_back(tracking: TrackingConfig) -> None:
    with pytest.raises(Refusal, match="got no alias champion"):
        rollback(tracking)
