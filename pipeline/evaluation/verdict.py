"""The claim put to the test: whether the network keeps more than the controls when the keyframe is spoilt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

from pipeline.evaluation.conditions import Condition, Grid
from pipeline.evaluation.kinds import Kind
from pipeline.evaluation.methods import CONTROLS, SEES
from pipeline.evaluation.outcome import effective
from pipeline.evaluation.statistics import FEWEST_VIDEOS, Interval, interval

SEVERE = 3
"""The claim is about severities from here on."""

Finding = Literal["holds", "does not hold", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """AP in percent by method and condition: first of the videos as they are, then of each draw of videos."""

    metric: str
    """What the AP is called: PoseTrack AP or OKS-AP."""
    ap: Mapping[str, Mapping[Condition, Float64[np.ndarray, " R"]]]
    videos: int
    """How many there are to draw from."""

    def of(self, method: str, condition: Condition) -> Float64[np.ndarray, " R"]:
        """A method's AP under a condition."""
        return self.ap[method][effective(method, condition)]

    def retention(self, method: str, condition: Condition) -> Float64[np.ndarray, " R"]:
        """The share of its clean AP that a method keeps; NaN where it had none. What sees nothing of it keeps all."""
        clean = self.of(method, condition.clean)
        share = np.full_like(clean, np.nan)
        np.divide(self.of(method, condition), clean, out=share, where=clean > 0)
        return share

    @property
    def controls(self) -> tuple[str, ...]:
        """Those that there are."""
        return tuple(method for method in CONTROLS if method in self.ap)

    @property
    def missing(self) -> tuple[str, ...]:
        """Those that the claim asks for and that there are not."""
        return tuple(method for method in CONTROLS if method not in self.ap)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One kind of degradation of the keyframe at one stride."""

    kind: Kind
    stride: int

    @property
    def name(self) -> str:
        """What it is called wherever it stands."""
        return str(self.kind) if self.stride == 1 else f"{self.kind}, stride {self.stride}"


def judge_claim(curves: Curves, claim: Claim, *, grid: Grid) -> dict[str, str]:
    """Whether the claim holds under one kind of degradation, and a few sentences with the numbers.

    It holds if at every severity from 3 on the final readout's AP is above every control's, and it keeps a larger
    share of its clean AP than each control that sees the keyframe, each with the 95 % interval of the difference above
    0, and if its clean AP is not below the single frame's. Shares are not compared with blind controls, which keep all
    they have. Where a control is missing, the claim is undecided at best.
    """
    severe = {
        severity: grid.condition(claim.kind, severity, target="keyframe", stride=claim.stride)
        for severity in grid.severities
        if severity >= SEVERE
    }
    leads = {
        (control, severity): interval(curves.of("final", condition) - curves.of(control, condition))
        for control in curves.controls
        for severity, condition in severe.items()
    }
    kept = {
        (control, severity): interval(curves.retention("final", condition) - curves.retention(control, condition))
        for control in curves.controls
        for severity, condition in severe.items()
        if "keyframe" in SEES[control]
    }
    clean = Condition(stride=claim.stride)
    lead = interval(curves.of("final", clean) - curves.of("single_frame", clean))
    finding = judge([*leads.values(), *kept.values()], clean=lead, videos=curves.videos, missing=curves.missing)
    _, severity = _least(leads)
    text = _sentence(curves, claim, condition=severe[severity], severity=severity)
    return {
        "holds": finding,
        "text": f"{text} {_reason(leads, kept, clean=lead, curves=curves)}: "
        f"the claim {'is undecided' if finding == 'undecided' else finding}.",
    }


def judge(leads: Sequence[Interval], *, clean: Interval, videos: int, missing: Sequence[str]) -> Finding:
    """What intervals of differences say: every lead must be above 0, and `clean` not below, with no control missing."""
    if videos < FEWEST_VIDEOS:
        return "undecided"
    if any(lead.high < 0 for lead in (*leads, clean)):
        return "does not hold"
    return "holds" if all(lead.low > 0 for lead in leads) and clean.value >= 0 and not missing else "undecided"


def _least(leads: Mapping[tuple[str, int], Interval]) -> tuple[str, int]:
    """Control and severity of the smallest lead; one that has no value is smaller still."""
    return min(leads, key=lambda name: np.nan_to_num(leads[name].value, nan=-np.inf))


def _sentence(curves: Curves, claim: Claim, *, condition: Condition, severity: int) -> str:
    """The numbers where the final readout leads least."""
    ap = {name: shown(curves.of(name, condition)[0]) for name in ("final", *curves.controls)}
    others = ", ".join(f"{named(name)} {ap[name]}" for name in curves.controls)
    kept = {name: shown(100 * curves.retention(name, condition)[0]) for name in ("final", "single_frame")}
    clean = {name: shown(curves.of(name, condition.clean)[0]) for name in ("final", "single_frame")}
    where = "" if claim.stride == 1 else f" and with supporting frames {claim.stride} times as far"
    return (
        f"Under {named(claim.kind)} of severity {severity}{where} the final readout has {curves.metric} {ap['final']}; "
        f"of the controls: {others}. It keeps {kept['final']} % of its clean AP, the single frame "
        f"{kept['single_frame']} %, and clean it has {clean['final']} against {clean['single_frame']}."
    )


def _reason(
    leads: Mapping[tuple[str, int], Interval],
    kept: Mapping[tuple[str, int], Interval],
    *,
    clean: Interval,
    curves: Curves,
) -> str:
    """The smallest lead, and all that speaks against the claim or leaves it open."""
    control, severity = _least(leads)
    least = leads[control, severity]
    told = f"Its smallest lead, over {named(control)} at severity {severity}, is {shown(least.value)} points"
    if curves.videos < FEWEST_VIDEOS:
        return f"{told} (videos: {curves.videos}), and with fewer than {FEWEST_VIDEOS} videos there is no interval"
    told += f" (95 % interval {shown(least.low)} to {shown(least.high)}, videos: {curves.videos})"
    weak = [name for (name, _), lead in leads.items() if not lead.low > 0]
    less = [name for (name, _), lead in kept.items() if not lead.low > 0]
    parts = [f"its AP is not clearly above that of {_listed(weak)}"] if weak else []
    parts += [f"its share is not clearly above that of {_listed(less)}"] if less else []
    parts += ["clean it is below the single frame"] if clean.value < 0 else []
    parts += [f"it was not compared with {_listed(curves.missing)}"] if curves.missing else []
    return f"{told}; {'; '.join(parts)}" if parts else told


def _listed(names: Sequence[str]) -> str:
    return ", ".join(named(name) for name in dict.fromkeys(names))


def named(name: str) -> str:
    """A kind or method in words."""
    return name.replace("_", " ")


def shown(value: float) -> str:
    """One digit, and no negative zero."""
    return f"{round(float(value), 1) + 0.0:.1f}"
