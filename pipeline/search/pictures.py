"""The picture of a search: parallel coordinates, a line a trial through its values to its score."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.search.config import Choice, Range, TuneConfig
from pipeline.training.yardstick import SCORE

LINES = {"finished": "-", "stopped": "--"}
"""How the lines of trials with a score are drawn."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One upright axis."""

    title: str
    place: Callable[[Any], float]
    """A value's height, from 0 to 1."""
    marks: dict[str, float]
    """Labels at heights."""


def draw_parallel(table: pd.DataFrame, config: TuneConfig, path: Path) -> None:
    """Write an SVG; the same table gives the same bytes. Trials without a score are counted below the lines."""
    scored = table[table[SCORE].notna()]
    axes = [_key_axis(key, value) for key, value in config.space.items()]
    axes.append(_score_axis(scored[SCORE].to_numpy(float)))
    figure = Figure(figsize=(1.8 + 1.6 * len(axes), 3.6), layout="constrained")
    plot = figure.add_subplot()
    for row in scored.sort_values(SCORE).to_dict("records"):
        heights = [axis.place(row[str(name)]) for axis, name in zip(axes, [*config.space, SCORE], strict=True)]
        plot.plot(heights, LINES[row["status"]], color=mpl.colormaps["viridis"](1 - heights[-1]), linewidth=1.2)
    for position, axis in enumerate(axes):
        plot.axvline(position, color="0.6", linewidth=0.8)
        for label, height in axis.marks.items():
            plot.text(position + 0.03, height, label, fontsize=7, va="center")
    plot.set_xticks(range(len(axes)), [axis.title for axis in axes], fontsize=8)
    plot.set_yticks([])
    plot.set_ylim(-0.05, 1.05)
    plot.set_xlim(-0.2, len(axes) - 0.6)
    plot.set_title(_title(table, scored=len(scored)), fontsize=9)
    plot.spines[:].set_visible(False)
    with mpl.rc_context({"svg.hashsalt": "dsn-pose", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})


def _title(table: pd.DataFrame, *, scored: int) -> str:
    if table.empty:
        return "no search"
    stopped = int((table["status"] == "stopped").sum())
    return f"{len(table)} trials: {stopped} stopped early (dashed), {len(table) - scored} without a score (not drawn)"


def _key_axis(key: str, value: Range | Choice) -> Axis:
    if isinstance(value, Choice):
        heights = dict(zip(value.values, np.linspace(0, 1, len(value.values)).tolist(), strict=True))
        return Axis(key, lambda chosen: float(heights[chosen]), {str(name): at for name, at in heights.items()})
    scale = math.log if value.log else float
    low, high = scale(value.low), scale(value.high)
    return Axis(
        key, lambda chosen: (scale(chosen) - low) / (high - low), {f"{value.low:.3g}": 0.0, f"{value.high:.3g}": 1.0}
    )


def _score_axis(scores: "np.ndarray[Any, np.dtype[np.float64]]") -> Axis:
    if scores.size == 0:
        return Axis(SCORE, lambda _: 0.0, {})
    low, high = float(scores.min()), float(scores.max())
    if low == high:
        return Axis(SCORE, lambda _: 0.5, {f"{low:.1f}": 0.5})
    return Axis(SCORE, lambda score: (score - low) / (high - low), {f"{low:.1f}": 0.0, f"{high:.1f}": 1.0})
