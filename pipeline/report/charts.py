"""The charts of the page, from the stages' tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from dsn.skeleton import Skeleton
from pipeline.report.figures import Series, bars, dots, lines
from pipeline.report.inputs import Inputs
from pipeline.report.palette import Method, in_order
from pipeline.report.tables import SCORE

TERM = "loss/"
"""How the columns of a history that are terms of the loss begin."""
NAMES = {"pretrain": "single frame, pretraining", "control": "single frame, trained on"}
DASHES = {"pretrain": (1, 2), "control": (4, 2)}
"""How the two runs of the single-frame network are told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A drawing with what is written around it."""

    title: str
    svg: str
    description: str
    """For those who do not see it."""
    series: tuple[Series, ...]
    """What the legend lists."""


def joint_charts(inputs: Inputs, methods: Mapping[str, Method]) -> list[Chart]:
    """Scores by group of joints, with the controls, and by joint; none where joints have no scores."""
    if inputs.joints["score"].isna().all():
        return []
    entries = {**inputs.metrics["readouts"], **inputs.metrics["controls"]}
    names, groups = in_order(entries, methods), joint_groups(inputs.skeleton)
    metric, key = joint_metric(inputs), "ap" if inputs.is_official else "pck"
    grouped = [_bar(methods[name], [entries[name][key].get(group) for group in groups]) for name in names]
    table = inputs.joints.pivot_table(index="joint", columns="readout", values="score", sort=False, dropna=False)[::-1]
    single = [
        replace(_bar(methods[name], list(table[name])), marker=methods[name].marker) for name in names if name in table
    ]
    joints = [str(joint).replace("_", " ") for joint in table.index]
    by_group = bars(grouped, groups=groups, name="groups", x_label=f"{metric}, %")
    by_joint = dots(single, groups=joints, name="joints", x_label=f"{metric}, %")
    return [
        _chart(
            "By group of joints, with the control",
            by_group,
            grouped,
            f"Bars of {metric} by group of joints; see the table.",
        ),
        _chart("By joint", by_joint, single, f"Dots of {metric} for each of the evaluated joints."),
    ]


def joint_metric(inputs: Inputs) -> str:
    """What joints are scored by."""
    return str(inputs.joints["metric"].iloc[0])


def joint_groups(skeleton: Skeleton) -> list[str]:
    """The columns of a table of joints, as the official one has them."""
    return [*(name for name, _ in skeleton.groups), "Total"]


def pckh_chart(points: pd.DataFrame, methods: Mapping[str, Method], *, unit: str) -> Chart | None:
    """The share of joints that are right by the distance that counts as right, with intervals; None without points."""
    if points.empty:
        return None
    series = []
    for name in in_order(points["readout"].unique(), methods):
        rows = points[points["readout"] == name]
        x, y, low, high = (tuple(rows[column].astype(float)) for column in ("threshold", "pckh", "low", "high"))
        method = methods[name]
        series.append(Series(label=method.label, tone=method.tone, marker=method.marker, x=x, y=y, low=low, high=high))
    svg = lines(series, name="pckh", x_label=unit, y_label="joints right, %", y_limits=(0.0, 100.0))
    return _chart("Joints right by threshold", svg, series, f"The percentage of joints that are right, by {unit}.")


def stress_charts(curves: pd.DataFrame, methods: Mapping[str, Method]) -> dict[str, Chart]:
    """AP by severity, one chart a kind, on the same scale."""
    metric = str(curves["metric"].iloc[0])
    highest = float(np.nan_to_num(curves[["ap", "ap_high"]]).max())
    top = min(100.0, 10 * (highest // 10 + 1))
    charts = {}
    for number, (kind, of_kind) in enumerate(curves.groupby("kind", sort=False)):
        series = [
            _curve(methods[name], of_kind[of_kind["method"] == name].sort_values("severity"))
            for name in in_order(of_kind["method"].unique(), methods)
        ]
        svg = lines(series, name=f"stress-{number}", x_label="severity", y_label=f"{metric}, %", y_limits=(0.0, top))
        title = str(kind).replace("_", " ")
        charts[str(kind)] = _chart(
            title, svg, series, f"{metric} by severity of {title}; the numbers are in the table below."
        )
    return charts


def loss_charts(histories: Mapping[str, pd.DataFrame], methods: Mapping[str, Method]) -> list[Chart]:
    """The loss by step: of the single-frame network, and of the dual-stream network with its terms."""
    single = [
        _over_time(histories, run, "loss", label=NAMES[run], method=methods["single_frame"], dash=dash)
        for run, dash in DASHES.items()
    ]
    terms = [column for column in histories["train"].columns if column.startswith(TERM)]
    dual = [
        _over_time(histories, "train", column, label=methods[name].label, method=methods[name])
        for column in terms
        for name in (column.removeprefix(TERM),)
    ]
    total = _over_time(histories, "train", "loss", label="sum", method=methods["truth"])
    titles = (
        ("Loss of the single-frame network", single),
        ("Loss of the dual-stream network, by term", [*dual, total]),
    )
    return [
        _chart(
            title,
            lines(series, name=f"loss-{number}", x_label="step", y_label="weighted squared error", is_logarithmic=True),
            series,
            f"{title}, by step, on a logarithmic scale.",
        )
        for number, (title, series) in enumerate(titles)
    ]


def select_chart(
    histories: Mapping[str, pd.DataFrame], methods: Mapping[str, Method], *, yardstick: Mapping[str, Any]
) -> Chart:
    """The score on the select split by step, under the name that its yardstick has."""
    score, name = SCORE, str(yardstick["name"])
    series = [
        _over_time(histories, run, score, label=NAMES[run], method=methods["single_frame"], dash=dash, is_marked=True)
        for run, dash in DASHES.items()
    ]
    series += [
        _over_time(
            histories,
            "train",
            f"select/pck_{readout}",
            label=methods[readout].label,
            method=methods[readout],
            is_marked=True,
        )
        for readout in ("final", "temporal")
        if f"select/pck_{readout}" in histories["train"]
    ]
    svg = lines(series, name="select", x_label="step", y_label=f"{name}, %")
    return _chart("Score on the select split", svg, series, f"{name} on the select split by step, for each run.")


def _over_time(
    histories: Mapping[str, pd.DataFrame],
    run: str,
    column: str,
    *,
    label: str,
    method: Method,
    dash: tuple[int, ...] = (),
    is_marked: bool = False,
) -> Series:
    """One column of a run's history; steps are counted from the start of pretraining on."""
    rows = histories[run].dropna(subset=[column])
    start = 0.0 if run == "pretrain" else float(histories["pretrain"]["step"].max())
    return Series(
        label=label,
        tone=method.tone,
        marker=method.marker if is_marked else "",
        dash=dash,
        x=tuple(rows["step"] + start),
        y=tuple(rows[column]),
    )


def _chart(title: str, svg: str, series: Sequence[Series], description: str) -> Chart:
    return Chart(title=title, svg=svg, description=description, series=tuple(series))


def _bar(method: Method, values: Sequence[float | None]) -> Series:
    known = tuple(float("nan") if value is None else float(value) for value in values)
    return Series(label=method.label, tone=method.tone, y=known)


def _curve(method: Method, rows: pd.DataFrame) -> Series:
    """A method's AP by severity, with a band of intervals where it is a readout: bands of all would be illegible."""
    return Series(
        label=method.label,
        tone=method.tone,
        marker=method.marker,
        dash=method.dash,
        x=tuple(rows["severity"].astype(float)),
        y=tuple(rows["ap"]),
        low=() if method.dash else tuple(rows["ap_low"]),
        high=() if method.dash else tuple(rows["ap_high"]),
    )
