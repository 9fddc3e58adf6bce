"""The stress test's numbers as one table: a row for each method, condition and slice of the people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64

from dsn.skeleton import Skeleton
from pipeline.evaluation.conditions import Cell, Condition, Grid
from pipeline.evaluation.errors import (
    Labels,
    acceleration_errors,
    calibration_error,
    conditional,
    errors,
    is_right,
    pckh_curve,
)
from pipeline.evaluation.motion import EVERYONE
from pipeline.evaluation.numbers import or_none
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.statistics import Interval, drawn_ratio, interval
from pipeline.evaluation.verdict import SEVERE, Curves

EVERY_JOINT = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All that the table is made of."""

    outcome: Outcome
    labels: Labels
    skeleton: Skeleton
    grid: Grid
    curves: Mapping[str, Curves]
    """By motion; everyone's, with draws, under `EVERYONE`."""
    people: Mapping[str, int]
    """How many, by motion."""
    times: Int64[np.ndarray, "R V"]
    """The draws of videos behind intervals, in order of name."""

    def condition(self, cell: Cell) -> Condition:
        """What was done at a point of a curve."""
        return self.grid.condition(cell.kind, cell.severity, target=cell.target, stride=cell.stride)


def rows(measured: Measured) -> list[dict[str, Any]]:
    """Every row: of everyone and all joints, then by motion, then by joint."""
    methods = list(measured.curves[EVERYONE].ap)
    found = [row for method in methods for row in _of_method(measured, method)]
    return sorted(found, key=lambda row: (row["motion"] != EVERYONE, row["joint"] != EVERY_JOINT))


def _of_method(measured: Measured, method: str) -> Iterator[dict[str, Any]]:
    """What depends on the condition alone is worked out once, though several cells have the same."""
    known: dict[Condition, dict[str, Any]] = {}
    for cell in measured.grid.cells():
        condition = measured.condition(cell)
        if condition not in known:
            known[condition] = _numbers(measured, method, condition)
        names = {
            "method": method,
            "target": cell.target,
            "kind": cell.kind,
            "severity": cell.severity,
            "stride": cell.stride,
            "motion": EVERYONE,
            "joint": EVERY_JOINT,
            "metric": measured.curves[EVERYONE].metric,
            "people": measured.people[EVERYONE],
        }
        area = {"area": _area(measured.curves[EVERYONE], method, cell, grid=measured.grid)}
        yield names | known[condition] | area
        for motion, curves in measured.curves.items():
            if motion != EVERYONE:
                ap = {"ap": curves.of(method, condition)[0], "retention": curves.retention(method, condition)[0]}
                yield names | {"motion": motion, "people": measured.people[motion]} | ap
        for joint, curve in _by_joint(measured, method, condition).items():
            yield names | {"joint": joint} | curve


def _numbers(measured: Measured, method: str, condition: Condition) -> dict[str, Any]:
    curves, labels = measured.curves[EVERYONE], measured.labels
    poses = measured.outcome.of(method, condition)
    error = errors(poses, labels)
    jitter = acceleration_errors(poses, labels)
    return {
        **_spread("ap", interval(curves.of(method, condition))),
        **_spread("retention", interval(curves.retention(method, condition))),
        **_spread("rescue", _rescue(measured, method, condition)),
        **_spread("harm", _harm(measured, method, condition)),
        **_pckh(error),
        "jitter": float(np.nanmean(jitter)) if (~np.isnan(jitter)).any() else np.nan,
        "calibration_error": calibration_error(poses.scores, error),
    }


def _spread(name: str, found: Interval) -> dict[str, float]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _rescue(measured: Measured, method: str, condition: Condition) -> Interval:
    """P(the method is right | the single frame is wrong), joint by joint, both under the condition, in percent."""
    own, single = (
        is_right(errors(measured.outcome.of(name, condition), measured.labels)) for name in (method, "single_frame")
    )
    return _rate(measured, own, ~single)


def _harm(measured: Measured, method: str, condition: Condition) -> Interval:
    """P(the method is wrong | the single frame is right), both under the condition, in percent."""
    own, single = (
        is_right(errors(measured.outcome.of(name, condition), measured.labels)) for name in (method, "single_frame")
    )
    return _rate(measured, ~own, single)


def _rate(measured: Measured, event: Any, given: Any) -> Interval:
    part, whole = conditional(event, given, measured.labels)
    return interval(100 * drawn_ratio(part, whole, times=measured.times))


def _pckh(error: Any) -> dict[str, float]:
    return {f"pckh_{threshold:.2f}": share for threshold, share in pckh_curve(error).items()}


def _by_joint(measured: Measured, method: str, condition: Condition) -> dict[str, dict[str, float]]:
    error = errors(measured.outcome.of(method, condition), measured.labels)
    return {measured.skeleton.joints[joint]: _pckh(error[:, [joint]]) for joint in measured.skeleton.scored}


def _area(curves: Curves, method: str, cell: Cell, *, grid: Grid) -> float:
    """The area under the curve of retention over severity, by its width: the mean share kept from 0 to the highest."""
    severities = (0, *grid.severities)
    kept = [
        float(curves.retention(method, grid.condition(cell.kind, severity, target=cell.target, stride=cell.stride))[0])
        for severity in severities
    ]
    return float(np.trapezoid(kept, severities) / severities[-1])


def headline(table: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows of the claim: degraded keyframes at the stride of training, everyone, all joints."""
    wanted = {"target": "keyframe", "stride": 1, "motion": EVERYONE, "joint": EVERY_JOINT}
    return [row for row in table if all(row[name] == value for name, value in wanted.items())]


def nested(table: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Rows of `headline` as metrics.json has them: by method and kind, `clean`, `s3`, `retention_s3` and so on."""
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
    """Of rows of `headline`: the share of its clean AP that the final readout keeps, over all kinds at severe ones."""
    kept = [row["retention"] for row in table if row["method"] == "final" and row["severity"] >= SEVERE]
    return or_none(float(np.mean(kept)))


def by_severity(table: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of rows of `headline`: AP by severity, one column a method, on average over the kinds; what DVC plots."""
    methods = list(dict.fromkeys(row["method"] for row in table))
    return [
        {"severity": severity}
        | {
            method: float(np.mean([r["ap"] for r in table if r["method"] == method and r["severity"] == severity]))
            for method in methods
        }
        for severity in sorted({row["severity"] for row in table})
    ]
