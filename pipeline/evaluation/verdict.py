"""The claim put to the test: whether the network keeps more than the controls when the keyframe is spoilt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from pipeline.evaluation.conditions import BLIND, METHODS, condition
from pipeline.evaluation.degrade import Kind
from pipeline.evaluation.numbers import or_none
from pipeline.evaluation.statistics import FEWEST_VIDEOS, Interval, interval

CONTROLS = ("single_frame", "copy", "interpolation")
"""What the final readout has to beat."""
SEVERE = 3
"""The claim is about severities from here on."""

Finding = Literal["holds", "does not hold", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """AP in percent by method and condition: first of the videos as they are, then of each draw of videos."""

    metric: str
    """What the AP is called: PoseTrack AP or OKS-AP."""
    ap: Mapping[str, Mapping[str, Float64[np.ndarray, " R"]]]
    videos: int
    """How many there are to draw from."""

    def of(self, method: str, kind: Kind, severity: int) -> Float64[np.ndarray, " R"]:
        """A method's AP under a degradation."""
        return self.ap[method]["clean" if method in BLIND else condition(kind, severity)]

    def retention(self, method: str, kind: Kind, severity: int) -> Float64[np.ndarray, " R"]:
        """The share of its clean AP that a method keeps; NaN where it had none. A blind method keeps all."""
        clean = self.of(method, kind, 0)
        share = np.full_like(clean, np.nan)
        np.divide(self.of(method, kind, severity), clean, out=share, where=clean > 0)
        return share


def rows(curves: Curves, *, kinds: Sequence[Kind], severities: Sequence[int]) -> list[dict[str, Any]]:
    """method, kind, severity, metric, ap (percent) and retention (share), with severity 0 for every kind."""
    return [
        {
            "method": method,
            "kind": kind,
            "severity": severity,
            "metric": curves.metric,
            "ap": float(curves.of(method, kind, severity)[0]),
            "retention": float(curves.retention(method, kind, severity)[0]),
        }
        for method in METHODS
        for kind in kinds
        for severity in (0, *severities)
    ]


def nested(table: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float | None]]]:
    """The rows as metrics.json has them: by method and kind, `clean`, `s3`, `retention_s3` and so on."""
    found: dict[str, dict[str, dict[str, float | None]]] = {}
    for row in table:
        entry = found.setdefault(row["method"], {}).setdefault(row["kind"], {})
        if row["severity"] == 0:
            entry["clean"] = or_none(row["ap"])
        else:
            entry[f"s{row['severity']}"] = or_none(row["ap"])
            entry[f"retention_s{row['severity']}"] = or_none(row["retention"])
    return found


def mean_retention(table: Sequence[Mapping[str, Any]]) -> float | None:
    """The share of its clean AP that the final readout keeps, over all kinds at severe degradation."""
    kept = [row["retention"] for row in table if row["method"] == "final" and row["severity"] >= SEVERE]
    return or_none(float(np.mean(kept)))


def judge_kind(curves: Curves, kind: Kind, *, severities: Sequence[int]) -> dict[str, str]:
    """Whether the claim holds under one kind of degradation, and one sentence with the numbers.

    It holds if at every severity from 3 on the final readout's AP is above every control's, and it keeps a larger
    share of its clean AP than the single frame does, each with the 95 % interval of the difference above 0, and if its
    clean AP is not below the single frame's. Shares are not compared with blind controls, which keep all they have.
    """
    severe = [severity for severity in severities if severity >= SEVERE]
    leads = {
        (control, severity): interval(curves.of("final", kind, severity) - curves.of(control, kind, severity))
        for control in CONTROLS
        for severity in severe
    }
    kept = [
        interval(curves.retention("final", kind, severity) - curves.retention("single_frame", kind, severity))
        for severity in severe
    ]
    clean = interval(curves.of("final", kind, 0) - curves.of("single_frame", kind, 0))
    finding = judge([*leads.values(), *kept], clean=clean, videos=curves.videos)
    return {"holds": finding, "text": _sentence(curves, kind, finding=finding, leads=leads)}


def judge(leads: Sequence[Interval], *, clean: Interval, videos: int) -> Finding:
    """What intervals of differences say: every lead must be above 0, and `clean` not below."""
    if videos < FEWEST_VIDEOS:
        return "undecided"
    if any(lead.high < 0 for lead in (*leads, clean)):
        return "does not hold"
    return "holds" if all(lead.low > 0 for lead in leads) and clean.value >= 0 else "undecided"


def _sentence(curves: Curves, kind: Kind, *, finding: Finding, leads: Mapping[tuple[str, int], Interval]) -> str:
    """The numbers where the final readout leads least."""
    (control, severity), least = min(leads.items(), key=lambda item: np.nan_to_num(item[1].value, nan=-np.inf))
    ap = {name: _shown(curves.of(name, kind, severity)[0]) for name in ("final", *CONTROLS)}
    clean = {name: _shown(curves.of(name, kind, 0)[0]) for name in ("final", "single_frame")}
    kept = {name: _shown(100 * curves.retention(name, kind, severity)[0]) for name in ("final", "single_frame")}
    return (
        f"Under {_named(kind)} of severity {severity} the final readout has {curves.metric} {ap['final']}, the single "
        f"frame {ap['single_frame']}, the copy {ap['copy']} and the interpolation {ap['interpolation']}; its smallest "
        f"lead, over {_named(control)}, is {_shown(least.value)} points (95 % interval {_shown(least.low)} to "
        f"{_shown(least.high)}, videos: {curves.videos}); it keeps {kept['final']} % of its clean AP, the single frame "
        f"{kept['single_frame']} %, and clean it has {clean['final']} against {clean['single_frame']}: "
        f"the claim {'is undecided' if finding == 'undecided' else finding}."
    )


def _named(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: float) -> str:
    """One digit, and no negative zero."""
    return f"{round(float(value), 1) + 0.0:.1f}"
