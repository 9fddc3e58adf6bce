"""The numbers of the page, as rows of text."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.report.palette import Method, in_order

MISSING = "\N{EN DASH}"
SCORE = "select/pck_final"
"""The column of the score on select."""
OKS = (("OKS-AP", "oks_ap"), ("OKS-AP50", "oks_ap50"))
MORE_OKS = (("OKS-AP75", "oks_ap75"), ("OKS-AR", "oks_ar"))
MOTA = (("MOTA", "mota"),)
"""Columns of scores with their keys in metrics.json."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a table."""

    label: str
    cells: tuple[str, ...]
    method: Method | None = None
    """Whose colour stands before the label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table; the first column holds the rows' labels."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def number(value: Any, digits: int = 1) -> str:
    """A number with a fixed count of digits; a dash where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    return f"{value:.{digits}f}"


def cell(value: Any) -> str:
    """A value of any kind: numbers by four digits that count."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def official_scores(metrics: Mapping[str, Any], *, groups: Sequence[str], methods: Mapping[str, Method]) -> Table:
    """AP by group of joints, OKS-AP and MOTA of each readout and control; the poses have the labels' own tracks."""
    caption = (
        "Official PoseTrack AP by group of joints, OKS-AP by xtcocotools, and MOTA, in percent; MOTA with the "
        "annotated people's own tracks, which says how well poses fit, not how well people are followed"
    )
    return _scores(metrics, caption, by_group={"ap": groups}, plain=(*OKS, *MOTA), methods=methods)


def other_scores(metrics: Mapping[str, Any], *, groups: Sequence[str], methods: Mapping[str, Method]) -> Table:
    """PCK by group of joints, where there is any, and OKS-AP of each readout and control, for other skeletons."""
    caption = f"{'PCK@0.2 by group of joints, and ' if groups else ''}OKS-AP by xtcocotools, in percent"
    return _scores(metrics, caption, by_group={"pck": groups}, plain=(*OKS, *MORE_OKS), methods=methods)


def _scores(
    metrics: Mapping[str, Any],
    caption: str,
    *,
    by_group: Mapping[str, Sequence[str]],
    plain: Sequence[tuple[str, str]],
    methods: Mapping[str, Method],
) -> Table:
    """One row a readout or control: numbers by a key and group, then numbers by a key alone, given as (column, key)."""
    entries = {**metrics["readouts"], **metrics["controls"]}
    grouped = [(key, group) for key, groups in by_group.items() for group in groups]
    rows = tuple(
        Row(
            label=methods[name].label,
            method=methods[name],
            cells=(
                *(number(entries[name][key].get(group)) for key, group in grouped),
                *(number(entries[name].get(key)) for _, key in plain),
            ),
        )
        for name in in_order(entries, methods)
    )
    columns = ("", *(group for _, group in grouped), *(column for column, _ in plain))
    return Table(caption=caption, columns=columns, rows=rows)


def sequences(metrics: Mapping[str, Any]) -> Table:
    """AP by video, worst first."""
    metric = metrics["metric"]
    found = sorted(metrics["sequences"].items(), key=lambda entry: (entry[1] is None, entry[1], entry[0]))
    rows = tuple(Row(label=video, cells=(number(ap),)) for video, ap in found)
    return Table(caption=f"{metric} of the final readout by video, worst first", columns=("video", metric), rows=rows)


PARTS = {"all": "everyone", "motion": "motion", "size": "size", "occlusion": "occlusion"}
"""Words for what people are parted by; parts by video and by joint have tables of their own."""


def parts(table: pd.DataFrame) -> Table:
    """The final readout in parts of the people: by motion, size and occlusion."""
    own = table[(table["readout"] == "final") & table["by"].isin(list(PARTS))]
    columns = {"ap": 1, "pckh_0.10": 1, "pckh_0.50": 1, "calibration_error": 1, "jitter": 2}
    rows = tuple(
        Row(
            label=PARTS[row["by"]] if row["by"] == "all" else f"{PARTS[row['by']]} {row['part']}",
            cells=(f"{row['people']:,}", *(number(float(row[name]), digits) for name, digits in columns.items())),
        )
        for row in own.to_dict("records")
    )
    headers = ("", "people", "AP", "right at 0.1", "right at 0.5", "calibration error", "jitter")
    return Table(caption="The final readout by motion, size and occlusion of the people", columns=headers, rows=rows)


def severities(curves: pd.DataFrame, kind: str, methods: Mapping[str, Method]) -> Table:
    """AP of each method by severity of one kind, and what it retains at the highest."""
    of_kind, metric = curves[curves["kind"] == kind], curves["metric"].iloc[0]
    columns = sorted(of_kind["severity"].unique())
    rows = []
    for name in in_order(of_kind["method"].unique(), methods):
        own = of_kind[of_kind["method"] == name].set_index("severity")
        cells = [number(own["ap"].get(severity)) for severity in columns]
        kept = own["retention"].get(columns[-1])
        cells.append(number(None if kept is None else 100 * float(kept)))
        rows.append(Row(label=methods[name].label, method=methods[name], cells=tuple(cells)))
    headers = ("", *(f"severity {severity:g}" for severity in columns), "retained, %")
    return Table(caption=f"{kind.replace('_', ' ')}: {metric} by severity", columns=headers, rows=tuple(rows))


def trials(table: pd.DataFrame, *, count: int, score: str) -> Table:
    """The best trials of the search; `score` is what their score on select is called."""
    columns = [str(name) for name in table.columns]
    shown = table.head(count)
    rows = tuple(
        Row(label=cell(values[0]), cells=tuple(cell(value) for value in values[1:]))
        for values in shown.itertuples(index=False, name=None)
    )
    caption = f"{len(shown)} of {len(table)} trials, best first"
    return Table(
        caption=caption, columns=tuple({SCORE: f"select {score}"}.get(name, name) for name in columns), rows=rows
    )


def chosen(best: Mapping[str, Any]) -> str:
    """What the search chose, as text."""
    values = [(f"{section}.{key}", value) for section, own in best["chosen"].items() for key, value in own.items()]
    return ", ".join(f"{name} = {cell(value)}" for name, value in values)


def splits(checks: Mapping[str, Any]) -> Table:
    """How much data there is in each split."""
    columns = ("videos", "labeled_frames", "labeled_people", "labeled_joints")
    rows = tuple(
        Row(label=split, cells=tuple(f"{checks['splits'][split].get(name, 0):,}" for name in columns))
        for split in ("train", "select", "val")
        if split in checks["splits"]
    )
    return Table(
        caption="Data by split",
        columns=("split", "videos", "labelled frames", "labelled people", "labelled joints"),
        rows=rows,
    )


def pairs(entries: Iterable[tuple[str, Any]]) -> Sequence[tuple[str, str]]:
    """Names with their values; those without one are left out."""
    return [(name, str(value)) for name, value in entries if value not in (None, "")]
