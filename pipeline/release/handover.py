"""Who is champion: the aliases `champion` and `previous` move together, however often the move is cut off."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

from pipeline.refusal import Refusal
from pipeline.tracking.address import InRegistry
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registry import Version, model_tags, point, resolved, tag, tag_model

DECISIONS = "gate.decisions"
"""The tag with all that was ever decided about a version: a JSON list, oldest first."""
UNDER_WAY = "gate.handover"
"""The tag of the model that holds a move, as JSON, from before its first step until it is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """A move of both aliases."""

    what: Literal["promotion", "rollback"]
    """What asked for it."""
    champion: str
    """The version that becomes it."""
    previous: str
    """The version that was it."""
    reason: str
    """One sentence."""
    time: str
    """When it began."""


def now() -> str:
    """The time, as decisions have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def hand_over(tracking: TrackingConfig, handover: Handover) -> None:
    """Move both aliases; the caller has the registry alone on this host.

    MLflow moves one alias in a request. So the whole move is told first, in one request, as a tag of the model, and the
    tag goes away when all is done: whatever is cut off in between leaves a tag that names both versions, and the next
    promotion or rollback does all of it again before it looks at an alias. Every step may be done twice. Until then
    `champion` is the old one or the new one, and both aliases may name one version.

    Across hosts nothing holds it together: see `pipeline.tracking.locks`.
    """
    tag_model(tracking, key=UNDER_WAY, value=json.dumps(asdict(handover), sort_keys=True))
    _finish(tracking, handover)


def finish_cut_off(tracking: TrackingConfig) -> Handover | None:
    """Finish a move that was cut off; None where none was.

    Raises:
        Refusal: one of its versions was deleted since.
    """
    told = model_tags(tracking).get(UNDER_WAY)
    if told is None:
        return None
    handover = Handover(**json.loads(told))
    try:
        _finish(tracking, handover)
    except Refusal as refusal:
        raise Refusal(
            f"{refusal}; a {handover.what} was cut off that makes version {handover.champion} champion: set the "
            f"aliases by hand and delete the model's tag {UNDER_WAY}"
        ) from refusal
    return handover


def _finish(tracking: TrackingConfig, handover: Handover) -> None:
    """Do every step; those that were done before change nothing."""
    champion, previous = (
        resolved(tracking, InRegistry(name=tracking.model, version=version, alias=None))
        for version in (handover.champion, handover.previous)
    )
    if handover.what == "rollback":
        for one, what in ((champion, "champion by rollback"), (previous, "rolled back")):
            note(tracking, one, what=what, reason=handover.reason, time=handover.time, more={})
    point(tracking, alias="previous", version=previous.version)
    point(tracking, alias="champion", version=champion.version)
    tag_model(tracking, key=UNDER_WAY, value=None)


def note(
    tracking: TrackingConfig, version: Version, *, what: str, reason: str, time: str, more: Mapping[str, str]
) -> None:
    """Keep a decision on a version, behind the earlier ones, once."""
    decisions: list[dict[str, str]] = json.loads(version.tags.get(DECISIONS, "[]"))
    decision = {"time": time, "what": what, "reason": reason}
    if decision not in decisions:
        decisions.append(decision)
    tag(tracking, version=version.version, tags={**more, "gate.decision": reason, DECISIONS: json.dumps(decisions)})
