"""Charts as SVG that stands inside the page: its text is text, and its colours are the page's own, light or dark."""

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from pipeline.pages.tones import INK, LINE, MUTED, Tone

WIDTH = 3.7
"""Inches; small, so that text stays readable where a chart is as wide as a phone."""

RC: Any = {
    "axes.edgecolor": LINE.light,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED.light,
    "axes.labelsize": 8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "grid.color": LINE.light,
    "grid.linewidth": 0.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "dsn-pose",
    "text.color": INK.light,
    "text.parse_math": False,
    "xtick.color": LINE.light,
    "xtick.labelcolor": MUTED.light,
    "ytick.color": LINE.light,
    "ytick.labelcolor": MUTED.light,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Numbers of one method, in the order of the x axis or of the bars."""

    label: str
    tone: Tone
    x: tuple[float, ...] = ()
    """Where the values stand on the x axis; bars have none."""
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    """The lower ends of the values' intervals, drawn as a band; nothing where there are none."""
    high: tuple[float, ...] = ()
    marker: str = ""
    dash: tuple[int, ...] = ()


def lines(
    series: Sequence[Series],
    *,
    name: str,
    x_label: str,
    y_label: str,
    y_limits: tuple[float, float] | None = None,
    is_logarithmic: bool = False,
) -> str:
    """A chart of lines as SVG; `name` keeps its ids apart from those of the page's other charts.

    Args:
        series: the lines; values that are NaN are left out.
        name: unique on the page.
        x_label: what stands below.
        y_label: what stands above the y axis, which is read from there.
        y_limits: the ends of the y axis; the data's own where None.
        is_logarithmic: whether the y axis counts orders of magnitude.
    """
    with mpl.rc_context(RC):
        figure, axes = _axes(height=2.35)
        for one in series:
            _line(axes, one)
        axes.set_xlabel(x_label)
        axes.grid(visible=True, axis="y")
        if is_logarithmic:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
        if y_limits:
            axes.set_ylim(*y_limits)
        if all(float(value).is_integer() for one in series for value in one.x):
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_title(y_label, loc="left", fontsize=8, color=MUTED.light, pad=8)
        return _svg(figure, name, tones=[one.tone for one in series])


def bars(series: Sequence[Series], *, groups: Sequence[str], name: str, x_label: str) -> str:
    """A chart of horizontal bars from 0 to 100 as SVG: for each group one bar of every series, its value beside it."""
    with mpl.rc_context(RC):
        figure, axes = _axes(height=0.5 + 0.135 * len(groups) * (len(series) + 1))
        thickness = 1 / (len(series) + 0.9)
        for index, one in enumerate(series):
            places = np.arange(len(groups)) + (index - (len(series) - 1) / 2) * thickness
            axes.barh(places, np.nan_to_num(one.y), height=thickness * 0.82, color=one.tone.light)
            for place, value in zip(places, one.y, strict=True):
                axes.text(max(np.nan_to_num(value), 0) + 1.2, place, _shown(value), va="center", fontsize=6.5)
        _by_group(axes, groups, x_label=x_label)
        return _svg(figure, name, tones=[one.tone for one in series])


def dots(series: Sequence[Series], *, groups: Sequence[str], name: str, x_label: str) -> str:
    """As `bars`, but with a dot for each value, and no numbers: for many groups."""
    with mpl.rc_context(RC):
        figure, axes = _axes(height=0.5 + 0.21 * len(groups))
        for one in series:
            axes.plot(
                one.y, range(len(groups)), color=one.tone.light, linestyle="none", marker=one.marker, markersize=5,
                markeredgewidth=0, clip_on=False,
            )  # fmt: skip
        axes.grid(visible=True, axis="y")
        _by_group(axes, groups, x_label=x_label)
        return _svg(figure, name, tones=[one.tone for one in series])


def _by_group(axes: Axes, groups: Sequence[str], *, x_label: str) -> None:
    """Groups from top to bottom, percent from left to right."""
    axes.set_yticks(range(len(groups)), groups)
    axes.tick_params(axis="y", length=0, labelcolor=INK.light)
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.set_xlim(0, 105)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.grid(visible=True, axis="x")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(x_label)


def _axes(*, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)
    return figure, axes


def _line(axes: Axes, one: Series) -> None:
    kept = np.isfinite(one.y)
    if np.isfinite(one.low).any():
        band = (np.asarray(one.low)[kept], np.asarray(one.high)[kept])
        axes.fill_between(np.asarray(one.x)[kept], *band, color=one.tone.light, alpha=0.14, linewidth=0)
    axes.plot(
        np.asarray(one.x)[kept],
        np.asarray(one.y)[kept],
        color=one.tone.light,
        linestyle=(0, one.dash) if one.dash else "solid",
        linewidth=1.3 if one.dash else 1.8,
        marker=one.marker or None,
        markersize=4,
        markeredgewidth=0,
    )


def _shown(value: float) -> str:
    return f"{value:.1f}" if np.isfinite(value) else "none"


def _svg(figure: Figure, name: str, *, tones: Iterable[Tone]) -> str:
    """The figure without what only a file of its own needs, its ids made unique and its colours the page's."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    size = re.search(r'viewBox="[^"]*"', text)
    text = re.sub(r"<svg[^>]*>", f'<svg {size.group() if size else ""} aria-hidden="true">', text, count=1)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = text.replace("xlink:href", "href").replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    text = re.sub(r"<style.*?</style>|font-family: [^;\"]*; ", "", text, flags=re.DOTALL)
    for tone in (*tones, INK, MUTED, LINE):
        text = text.replace(tone.light, tone.variable)
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())
