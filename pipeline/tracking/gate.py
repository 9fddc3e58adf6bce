"""The gate before the alias `champion`: a candidate must not lose what the champion has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.refusal import Refusal
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.locks import alone
from pipeline.tracking.registry import Version, find, point, tag


@dataclass(frozen=True, slots=True, kw_only=True)
class GateConfig:
    """What a candidate needs (section `promote`)."""

    floor_ap: float
    """AP of the final readout, in percent, that a candidate needs where there is no champion: PoseTrack's, or OKS-AP
    where the skeleton is another."""
    max_ap_loss: float
    """Points of AP by which a candidate may be below the champion."""
    max_retention_loss: float
    """By how much a candidate's retention, a share from 0 to 1, may be below the champion's."""

    def __post_init__(self) -> None:
        """Refuse limits that are none."""
        if not 0 <= self.floor_ap <= 100:
            raise ValueError(f"floor_ap: got {self.floor_ap}, wanted 0 to 100")
        for name in ("max_ap_loss", "max_retention_loss"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: got {getattr(self, name)}, wanted at least 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A version with the numbers that the gate looks at."""

    version: str
    data_hash: str
    """Of the val split that they were measured on."""
    metric: str
    """What the AP is called."""
    ap: float | None
    """Of the final readout, in percent; None where it has none."""
    boxes: str
    """Whose bboxes it was measured with."""
    retention: float | None
    """Mean share of its clean AP that the final readout keeps under severe degradation."""

    @property
    def tags(self) -> dict[str, str]:
        """How a version carries them; `from_tags` is the inverse."""
        numbers = {"gate.ap": self.ap, "gate.retention": self.retention}
        where = {"gate.data_hash": self.data_hash, "gate.metric": self.metric, "gate.boxes": self.boxes}
        return where | {name: "" if n is None else repr(n) for name, n in numbers.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the gate says."""

    promoted: bool
    """Whether the candidate is the champion now."""
    reason: str
    """One sentence."""


def from_tags(version: Version) -> Standing | None:
    """The numbers that a version carries; None for one that never came to the gate."""
    if "gate.data_hash" not in version.tags:
        return None
    ap, retention = (version.tags.get(name) for name in ("gate.ap", "gate.retention"))
    return Standing(
        version=version.version,
        data_hash=version.tags["gate.data_hash"],
        metric=version.tags.get("gate.metric", ""),
        ap=float(ap) if ap else None,
        boxes=version.tags.get("gate.boxes", ""),
        retention=float(retention) if retention else None,
    )


def measured(version: str, *, evaluation: Mapping[str, Any], stress: Mapping[str, Any]) -> Standing:
    """A version's numbers from the metrics of evaluate and stress.

    Raises:
        Refusal: the two were measured on different data.
    """
    if evaluation["data_hash"] != stress["data_hash"]:
        got = f"evaluation on data {evaluation['data_hash']}, stress on {stress['data_hash']}"
        raise Refusal(f"promote: got {got}, wanted the same; run `dvc repro evaluate stress`")
    return Standing(
        version=version,
        data_hash=evaluation["data_hash"],
        metric=evaluation["metric"],
        ap=evaluation["readouts"]["final"]["ap"]["Total"],
        boxes=evaluation["boxes"],
        retention=stress["retention"],
    )


def decide(candidate: Standing, current: Version | None, config: GateConfig) -> Decision:
    """Whether the candidate may take the place of the current champion, or the free one."""
    if current is None:
        return _decide_alone(candidate, config)
    if current.version == candidate.version:
        return Decision(promoted=True, reason=f"version {candidate.version} is the champion already")
    champion = from_tags(current)
    if champion is None:
        reason = f"champion version {current.version} did not come through the gate and has no numbers to compare with"
        return Decision(promoted=False, reason=reason)
    if candidate.data_hash != champion.data_hash:
        measured_on = f"version {candidate.version} was measured on data {candidate.data_hash}"
        reason = f"{measured_on} and champion version {champion.version} on {champion.data_hash}: they do not compare"
        return Decision(promoted=False, reason=reason)
    if candidate.metric != champion.metric:
        measured_by = f"version {candidate.version} was measured by {candidate.metric}"
        reason = f"{measured_by} and champion version {champion.version} by {champion.metric}: they do not compare"
        return Decision(promoted=False, reason=reason)
    return _compare(candidate, champion, config)


def _decide_alone(candidate: Standing, config: GateConfig) -> Decision:
    promoted = candidate.ap is not None and candidate.ap >= config.floor_ap
    relation = "reaches" if promoted else "does not reach"
    score = f"{candidate.metric} {_shown(candidate.ap)}"
    reason = f"there is no champion, and {score} {relation} the floor of {config.floor_ap:.1f}"
    return Decision(promoted=promoted, reason=reason)


def _compare(candidate: Standing, champion: Standing, config: GateConfig) -> Decision:
    """Each number against its limit; a number that only the champion has is lost."""
    pairs = {
        candidate.metric: (candidate.ap, champion.ap, config.max_ap_loss),
        "retention": (candidate.retention, champion.retention, config.max_retention_loss),
    }
    lost = [name for name, (own, other, limit) in pairs.items() if _is_lost(own, other, limit=limit)]
    numbers = ", ".join(
        f"{name} {_shown(own)} against {_shown(other)} (may lose {limit:g})"
        for name, (own, other, limit) in pairs.items()
    )
    outcome = f"loses too much {' and '.join(lost)}" if lost else "loses no more than allowed"
    reason = f"version {candidate.version} {outcome} to champion version {champion.version}: {numbers}"
    return Decision(promoted=not lost, reason=reason)


def _is_lost(own: float | None, other: float | None, *, limit: float) -> bool:
    if other is None:
        return False
    return own is None or own < other - limit


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"


def promote(
    tracking: TrackingConfig,
    config: GateConfig,
    *,
    version: str,
    evaluation: Mapping[str, Any],
    stress: Mapping[str, Any],
) -> dict[str, Any]:
    """Decide, keep numbers and reason on the version, and move `champion` and `previous` if it is promoted.

    One promotion at a time on one host; MLflow has no compare-and-set that would hold across hosts.

    Returns:
        What promotion.json says.
    """
    candidate = measured(version, evaluation=evaluation, stress=stress)
    with alone(tracking):
        current = find(tracking, alias="champion")
        decision = decide(candidate, current, config)
        tag(tracking, version=version, tags=candidate.tags | {"gate.decision": decision.reason})
        if decision.promoted:
            _crown(tracking, version, current=current)
    return {
        "promoted": decision.promoted,
        "reason": decision.reason,
        "version": version,
        "champion_before": None if current is None else current.version,
        "data_hash": candidate.data_hash,
        "metric": candidate.metric,
        "ap": candidate.ap,
        "boxes": candidate.boxes,
        "retention": candidate.retention,
    }


def _crown(tracking: TrackingConfig, version: str, *, current: Version | None) -> None:
    """Move `champion`; the one before is kept as `previous`."""
    if current is not None and current.version != version:
        point(tracking, alias="previous", version=current.version)
    point(tracking, alias="champion", version=version)
