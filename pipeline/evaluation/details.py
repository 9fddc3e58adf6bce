"""What stage evaluate tells beside scores: intervals, other rules for joint scores, breakdowns, and names in full."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.artifacts import read_json
from pipeline.evaluation.breakdown import Ground, breakdown, curves
from pipeline.evaluation.errors import THRESHOLDS
from pipeline.evaluation.joint_scores import RULES, ScoreRule, rescored
from pipeline.evaluation.numbers import or_none
from pipeline.evaluation.scorer import Scorer
from pipeline.evaluation.statistics import Interval, draw_videos, interval

PCKH = [f"pckh_{threshold:.2f}" for threshold in THRESHOLDS]
BREAKDOWN = ["readout", "by", "part", "people", "metric", "ap", *PCKH, "calibration_error", "jitter"]
CURVES = ["readout", "threshold", "pckh", "low", "high"]


def write_details(
    out: Path, tables: Mapping[str, pd.DataFrame], ground: Ground | None, *, draws: int, seed: int
) -> None:
    """Write breakdown.csv and pckh.csv; without rows where people were detected, since nothing says who they are."""
    parts, points = [], []
    if ground is not None:
        times = draw_videos(int(ground.labels.video.max()) + 1, draws=draws, seed=seed)
        parts, points = breakdown(tables, ground), curves(tables, ground, times=times)
    for name, rows, columns in (("breakdown", parts, BREAKDOWN), ("pckh", points, CURVES)):
        table = pd.DataFrame(rows, columns=columns)
        table.to_csv(out / f"{name}.csv", index=False, lineterminator="\n", float_format="%.6g")


def intervals(scorer: Scorer, tables: Mapping[str, pd.DataFrame], *, draws: int, seed: int) -> dict[str, Any]:
    """By table its AP with the ends of the interval, and by how much the final readout leads each of the others.

    The videos are drawn alike for all, so the leads are paired.
    """
    times = draw_videos(len(scorer.videos), draws=draws, seed=seed)
    drawn = {name: scorer.drawn(rows, times) for name, rows in tables.items()}
    return {
        "ap": {name: _plain(interval(values)) for name, values in drawn.items()},
        "lead_of_final": {
            name: _plain(interval(drawn["final"] - values)) for name, values in drawn.items() if name != "final"
        },
    }


def _plain(found: Interval) -> dict[str, float | None]:
    return {name: or_none(value) for name, value in asdict(found).items()}


def by_rule(scorer: Scorer, rows: pd.DataFrame) -> dict[ScoreRule, float | None]:
    """The AP of the same predictions under every rule for joint scores."""
    once = np.ones((1, len(scorer.videos)), dtype=np.int64)
    return {rule: or_none(float(scorer.drawn(rescored(rows, rule), once)[0])) for rule in RULES}


def label_version(index: Path) -> str:
    """Which labels the index was made of, as stage prepare found out."""
    return str(read_json(index / "checks.json")["label_version"]["name"])


def in_full(metric: str, *, boxes: str, labels: str) -> str:
    """A metric's name with all that a number must agree in to be compared: boxes and labels."""
    return f"{metric}, boxes {boxes}, labels {labels}"
