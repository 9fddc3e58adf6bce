import re

import pandas as pd
import pytest

from pipeline.pages.tones import INK, LINE, MUTED, Tone
from pipeline.report.charts import joint_charts, loss_charts, select_chart, stress_charts
from pipeline.report.figures import Series, bars, lines
from pipeline.report.inputs import Sources, read_inputs
from pipeline.report.palette import KNOWN, SPARE, in_order, methods

FINAL = methods([])["final"]


def test_every_colour_is_another_one() -> None:
    """A chart's colours are put into the page by their values."""
    known: list[Tone] = [method.tone for method in methods([f"new {number}" for number in range(len(SPARE))]).values()]
    tones = [*known, INK, MUTED, LINE]

    assert len({tone.light for tone in tones}) == len(KNOWN) + len(SPARE) + 3
    assert len({tone.name for tone in tones}) == len(tones)


def test_a_method_that_is_not_known_gets_a_colour_and_the_last_place() -> None:
    known = methods(["shuffled_frames"])

    assert known["shuffled_frames"].label == "shuffled frames"
    assert known["shuffled_frames"].tone.variable == "var(--method-shuffled-frames)"
    assert in_order(["shuffled_frames", "copy", "final"], known) == ["final", "copy", "shuffled_frames"]


def test_a_chart_uses_the_colours_of_the_page_and_no_other() -> None:
    line = Series(label="final", tone=FINAL.tone, x=(0.0, 1.0), y=(10.0, 20.0))

    svg = lines([line], name="a", x_label="severity", y_label="AP")

    assert f"stroke: {FINAL.tone.variable}" in svg
    assert re.findall(r"#[0-9a-f]{6}", svg) == []
    assert "<metadata" not in svg
    assert "font-family" not in svg
    assert ">severity</text>" in svg


def test_the_ids_of_two_charts_differ() -> None:
    line = Series(label="final", tone=FINAL.tone, x=(0.0, 1.0), y=(10.0, 20.0))

    first, second = (
        set(re.findall(r'id="([^"]*)"', lines([line], name=name, x_label="", y_label=""))) for name in "ab"
    )

    assert first
    assert not first & second


def test_a_bar_says_its_value_or_that_there_is_none() -> None:
    svg = bars(
        [Series(label="final", tone=FINAL.tone, y=(41.26, float("nan")))],
        groups=("Head", "Hip"),
        name="a",
        x_label="AP",
    )

    assert re.findall(r">([^<]+)</text>", svg)[-2:] == ["41.3", "none"]


def test_curves_carry_the_numbers_of_the_table(sources: Sources) -> None:
    charts = stress_charts(read_inputs(sources).curves, methods([]))

    assert list(charts) == ["black", "motion_blur"]
    series = {one.label: one for one in charts["black"].series}
    assert list(series) == ["final", "temporal", "single frame", "interpolation", "copy of t-1"]
    assert series["single frame"].x == (0.0, 3.0, 5.0)
    assert series["single frame"].y == (59.0, 44.0, 34.0)
    assert series["single frame"].dash
    assert not series["final"].dash


def test_bars_carry_the_scores_by_group_of_readouts_and_controls(sources: Sources) -> None:
    grouped, single = joint_charts(read_inputs(sources), methods([]))

    by_label = {one.label: one.y for one in grouped.series}
    assert by_label["final"] == pytest.approx((61.234, 61.234, *[float("nan")] * 4, 61.234, 61.234), nan_ok=True)
    assert by_label["mean pose"][0] == 14.321
    assert {one.label: one.y for one in single.series} == {
        "final": (50.0, 50.0),
        "temporal": (50.0, 50.0),
        "visual": (50.0, 50.0),
    }


def test_steps_are_counted_from_the_start_of_pretraining_on(sources: Sources) -> None:
    inputs = read_inputs(sources)

    points = {
        one.label: (one.x, one.y)
        for one in select_chart(inputs.histories, methods([]), yardstick=inputs.run["yardstick"]).series
    }

    assert points == {
        "single frame, pretraining": ((30.0,), (61.25,)),
        "single frame, trained on": ((60.0,), (61.25,)),
        "final": ((60.0,), (61.25,)),
        "temporal": ((60.0,), (44.5,)),
    }


def test_losses_are_shown_by_term(sources: Sources) -> None:
    inputs = read_inputs(sources)

    single, dual = loss_charts(inputs.histories, methods([]))

    assert [one.y for one in single.series] == [(0.02, 0.01), (0.02, 0.01)]
    assert {one.label: one.y for one in dual.series} == {
        "final": (0.015, 0.008),
        "dense": (0.005, 0.002),
        "sum": (0.02, 0.01),
    }


def test_a_term_that_nothing_was_known_of_has_a_line(sources: Sources) -> None:
    inputs = read_inputs(sources)
    train = inputs.histories["train"].assign(**{"loss/reconstruction": pd.Series([0.001, 0.001, None])})

    _, dual = loss_charts(inputs.histories | {"train": train}, methods(["reconstruction"]))

    assert "reconstruction" in [one.label for one in dual.series]
