"""The gate before the alias `champion`: a candidate must not lose what the champion has."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.statistics import FEWEST_VIDEOS, paired_bootstrap
from pipeline.tracking.registry import Version

WHOLE = "gate.sequences"
"""The tag of a version that is empty while its numbers change, a tag at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateConfig:
    """What a candidate needs (section `promote`)."""

    floor_ap: float
    """AP of the final readout, in percent, that a candidate needs where there is no champion: PoseTrack's, or OKS-AP
    where the skeleton is another."""
    max_ap_loss: float
    """Points of AP by which a candidate may be below the champion, also with 95 % confidence over draws of videos."""
    max_retention_loss: float
    """By how much a candidate's retention, a share from 0 to 1, may be below the champion's."""
    max_slowdown: float
    """By what factor a clip may take longer than with the champion, both timed by turns where the gate runs."""
    draws: int
    """Draws of videos behind the confidence."""
    seed: int
    """Decides them."""

    def __post_init__(self) -> None:
        """Refuse limits that are none."""
        if not 0 <= self.floor_ap <= 100:
            raise ValueError(f"floor_ap: got {self.floor_ap}, wanted 0 to 100")
        for name, least in {"max_ap_loss": 0, "max_retention_loss": 0, "max_slowdown": 1, "draws": 1}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name}: got {getattr(self, name)}, wanted at least {least}")


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
    sequences: Mapping[str, float | None]
    """The same of each video."""
    boxes: str
    """Whose bboxes it was measured with."""
    retention: float | None
    """Mean share of its clean AP that the final readout keeps under severe degradation."""
    grid_hash: str | None
    """Of the degraded clips behind the retention, see `Grid.digest`; None for a version from before it was kept."""

    @property
    def tags(self) -> dict[str, str]:
        """How a version carries them, `WHOLE` last; `from_tags` is the inverse."""
        numbers = {"gate.ap": self.ap, "gate.retention": self.retention}
        where = {"gate.data_hash": self.data_hash, "gate.metric": self.metric, "gate.boxes": self.boxes}
        under = {} if self.grid_hash is None else {"gate.grid_hash": self.grid_hash}
        by_video = {WHOLE: json.dumps(dict(self.sequences), sort_keys=True)}
        return where | under | {name: "" if n is None else repr(n) for name, n in numbers.items()} | by_video


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the gate says."""

    promoted: bool
    """Whether the candidate is the champion now."""
    reason: str
    """One sentence."""


def from_tags(version: Version) -> Standing | None:
    """The numbers that a version carries; None for one that has none, or whose new ones were cut off on their way."""
    if not version.tags.get(WHOLE):
        return None
    ap, retention = (version.tags[name] for name in ("gate.ap", "gate.retention"))
    return Standing(
        version=version.version,
        data_hash=version.tags["gate.data_hash"],
        metric=version.tags["gate.metric"],
        ap=float(ap) if ap else None,
        sequences=json.loads(version.tags[WHOLE]),
        boxes=version.tags["gate.boxes"],
        retention=float(retention) if retention else None,
        grid_hash=version.tags.get("gate.grid_hash"),
    )


def decide(
    candidate: Standing, current: Version | None, config: GateConfig, *, slowdown: Callable[[], float]
) -> Decision:
    """Whether the candidate may take the place of the current champion, or the free one.

    Args:
        candidate: who asks.
        current: the champion, if there is one.
        config: the limits.
        slowdown: by what factor the candidate's clips take longer than the champion's; called where they compare.
    """
    if current is None:
        return _decide_alone(candidate, config)
    if current.version == candidate.version:
        return Decision(promoted=True, reason=f"version {candidate.version} is the champion already")
    champion = from_tags(current)
    if champion is None:
        reason = f"champion version {current.version} did not come to the gate's end and has no numbers to compare with"
        return Decision(promoted=False, reason=reason)
    apart = _apart(candidate, champion)
    if apart is not None:
        return Decision(promoted=False, reason=f"{apart}: they do not compare")
    return _compare(candidate, champion, config, slowdown=slowdown())


def _apart(candidate: Standing, champion: Standing) -> str | None:
    """What the numbers of two versions were measured by that is not the same, if anything.

    A champion from before the stress grid's digest was kept was stressed under nobody knows what, which is never the
    same: it keeps its place until it is measured again.
    """
    unknown = "one that was not kept, so measure it again"
    for how, again, own, other in (
        ("measured on data", "on", candidate.data_hash, champion.data_hash),
        ("measured by", "by", candidate.metric, champion.metric),
        ("stressed under grid", "under", candidate.grid_hash, champion.grid_hash or unknown),
    ):
        if own != other:
            return (
                f"version {candidate.version} was {how} {own} and champion version {champion.version} {again} {other}"
            )
    return None


def _decide_alone(candidate: Standing, config: GateConfig) -> Decision:
    promoted = candidate.ap is not None and candidate.ap >= config.floor_ap
    relation = "reaches" if promoted else "does not reach"
    score = f"{candidate.metric} {_shown(candidate.ap)}"
    reason = f"there is no champion, and {score} {relation} the floor of {config.floor_ap:.1f}"
    return Decision(promoted=promoted, reason=reason)


def _compare(candidate: Standing, champion: Standing, config: GateConfig, *, slowdown: float) -> Decision:
    """Each number against its limit; a number that only the champion has is lost."""
    worst, told = _ap_at_worst(candidate, champion, config)
    kept = _is_kept(candidate.retention, champion.retention, limit=config.max_retention_loss)
    holds = {
        candidate.metric: champion.ap is None or (candidate.ap is not None and worst >= -config.max_ap_loss),
        "retention": kept,
        "time": slowdown <= config.max_slowdown,
    }
    pairs = {
        candidate.metric: (candidate.ap, champion.ap, told, config.max_ap_loss),
        "retention": (candidate.retention, champion.retention, "", config.max_retention_loss),
    }
    numbers = [
        f"{name} {_shown(own)} against {_shown(other)}{more} (may lose {limit:g})"
        for name, (own, other, more, limit) in pairs.items()
    ]
    numbers.append(f"time a clip {slowdown:.2f} of the champion's (may be {config.max_slowdown:g})")
    lost = [name for name, is_kept in holds.items() if not is_kept]
    outcome = f"loses too much {' and '.join(lost)}" if lost else "loses no more than allowed"
    reason = f"version {candidate.version} {outcome} to champion version {champion.version}: {', '.join(numbers)}"
    return Decision(promoted=not lost, reason=reason)


def _ap_at_worst(candidate: Standing, champion: Standing, config: GateConfig) -> tuple[float, str]:
    """By how much AP the candidate is above the champion at least, and the interval in words.

    The interval is that of the mean over videos, which all count alike; the AP counts people, and falls by more where a
    video with many of them got worse. The lower of both is taken. With few videos there is no interval.
    """
    difference = (candidate.ap or 0.0) - (champion.ap or 0.0)
    videos = sorted(set(candidate.sequences) & set(champion.sequences))
    own, other = (
        np.array([one.sequences[video] for video in videos], dtype=np.float64) for one in (candidate, champion)
    )
    if np.count_nonzero(~np.isnan(own - other)) < FEWEST_VIDEOS:
        return difference, f", without an interval, for fewer than {FEWEST_VIDEOS} videos"
    found = paired_bootstrap(own, other, draws=config.draws, seed=config.seed)
    told = f", a video {found.value:+.2f} with 95 % in {found.low:+.2f} to {found.high:+.2f}"
    return min(difference, found.low), told


def _is_kept(own: float | None, other: float | None, *, limit: float) -> bool:
    return other is None or (own is not None and own >= other - limit)


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"
