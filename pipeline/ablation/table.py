"""The ablation's cells as one table: CSV for machines, Markdown for people, with what was trained at its head."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from pipeline import params
from pipeline.ablation.cell import CONTROL, CellData, parent_run, scores
from pipeline.ablation.config import AblationConfig
from pipeline.artifacts import read_json, write_text
from pipeline.evaluation.verdict import SEVERE, named
from pipeline.refusal import Refusal
from pipeline.shards.augment import AugmentConfig
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.runs import resume_run

COVERAGE = 0.95
"""Of an interval over seeds."""
COPIES = ("interpolation", "copy")
"""Controls made of the single-frame network's poses at other frames."""
FILES = ("table.csv", "table.md")
COST = {"parameters": 1e6, "macs_per_clip": 1e9, "macs_per_frame": 1e9, "clips_per_second": 1.0}
"""Numbers of `efficiency`, and what they are counted in."""
HEADINGS = {"clean": "clean", "degraded": "degraded"} | dict(
    zip(COST, ("parameters, M", "MACs a clip, G", "MACs a frame, G", "clips/s"), strict=True)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one cell left."""

    facts: dict[str, Any]
    """cell.json."""
    run: dict[str, Any]
    """run.json."""
    augment: AugmentConfig
    """How its clips varied in training, as its params.yaml says."""
    stressed: dict[str, Any] | None
    """metrics.json of the stress test, which the single frame itself is not put to."""


def write_table(cells: Path, scale: Path, *, out: Path) -> None:
    """Write table.csv and table.md of the presets and seeds that the ablation's params name.

    Raises:
        Refusal: a cell is missing, or the cells were not stressed on the same data.
    """
    config = params.load(scale, "ablate", into=AblationConfig)
    names = (CONTROL, *config.presets)
    found = {name: [read_cell(cells / f"{name}-{seed}") for seed in config.seeds] for name in names}
    rows = [_row(name, group) for name, group in lines(found)]
    write_text(out / FILES[0], pd.DataFrame(rows).to_csv(index=False, lineterminator="\n", float_format="%.6g"))
    today = datetime.now(UTC).date().isoformat()
    write_text(out / FILES[1], f"{head(found, day=today)}\n\n{markdown(rows)}\n")


def close_ablation(data: CellData, *, out: Path) -> None:
    """Keep the table with the run that the cells are nested in, and finish that."""
    tracking = params.load(data.params, "tracking", into=TrackingConfig)
    run = resume_run(tracking, parent_run(data, tracking))
    if run is not None:
        for name in FILES:
            run.log_file(out / name, folder="")
        run.finish()


def read_cell(folder: Path) -> Cell:
    """What a cell left in its folder.

    Raises:
        Refusal: it is not there.
    """
    if not (folder / "cell.json").is_file():
        raise Refusal(f"{folder}: got no cell.json, wanted what stage ablate writes; run `make ablate`")
    stressed = folder / "stress" / "metrics.json"
    return Cell(
        facts=read_json(folder / "cell.json"),
        run=read_json(folder / "run.json"),
        augment=params.load(folder / "params.yaml", "reader.augment", into=AugmentConfig),
        stressed=read_json(stressed) if stressed.is_file() else None,
    )


def lines(cells: Mapping[str, Sequence[Cell]]) -> list[tuple[str, list[dict[str, float | None]]]]:
    """The table's lines from top to bottom: a name, and for each seed the numbers.

    The single frame and what is made of it stand in the stress test of every other cell, with the same numbers for the
    same seed: they are read from the first preset's.
    """
    first = next(group for name, group in cells.items() if name != CONTROL)
    _refuse_other_data([cell for name, group in cells.items() if name != CONTROL for cell in group])
    others = [
        (name, [scores(stressed_of(cell), "final") | _cost(cell) for cell in group])
        for name, group in cells.items()
        if name != CONTROL
    ]
    single = [scores(stressed_of(cell), CONTROL) | _cost(own) for cell, own in zip(first, cells[CONTROL], strict=True)]
    copies = [(name, [scores(stressed_of(cell), name) for cell in first]) for name in COPIES]
    return [(CONTROL, single), *others, *copies]


def stressed_of(cell: Cell) -> dict[str, Any]:
    """A cell's stress test, which it has."""
    if cell.stressed is None:
        raise Refusal(f"{cell.facts['preset']}-{cell.facts['seed']}: got no stress/metrics.json; run `make ablate`")
    return cell.stressed


def _refuse_other_data(cells: Sequence[Cell]) -> None:
    hashes = {stressed_of(cell)["data_hash"]: f"{cell.facts['preset']}-{cell.facts['seed']}" for cell in cells}
    if len(hashes) > 1:
        raise Refusal(f"ablation: got cells of different data, such as {sorted(hashes.values())}; run `make ablate`")


def _cost(cell: Cell) -> dict[str, float | None]:
    return {name: cell.facts["efficiency"][name] / unit for name, unit in COST.items()}


def _row(name: str, group: Sequence[Mapping[str, float | None]]) -> dict[str, Any]:
    """One line: each number's mean over the seeds, of AP also the interval's ends."""
    row: dict[str, Any] = {"network": name, "seeds": len(group)}
    for key in group[0]:
        values = [one[key] for one in group]
        mean, low, high = over_seeds([math.nan if value is None else value for value in values])
        row |= {key: mean} if key in COST else {key: mean, f"{key}_low": low, f"{key}_high": high}
    return row


def over_seeds(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean, and the ends of Student's 95 % interval of the mean, which one seed alone does not have (NaN)."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, math.nan, math.nan
    half = float(student.ppf((1 + COVERAGE) / 2, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return mean, mean - half, mean + half


def head(cells: Mapping[str, Sequence[Cell]], *, day: str) -> str:
    """What was trained, for how long, on what data, and what the numbers are; Markdown."""
    everyone = [cell for group in cells.values() for cell in group]
    facts, tags = everyone[-1].facts, everyone[-1].run["tags"]
    stressed = stressed_of(everyone[-1])
    seeds = sorted({cell.facts["seed"] for cell in everyone})
    seconds = [cell.facts["seconds"] for cell in everyone]
    took = f"{min(seconds):.0f} to {max(seconds):.0f} seconds"
    frozen = "with a frozen backbone" if facts["is_backbone_frozen"] else "backbone and all"
    told = [
        f"- **Trained:** one single-frame network for {facts['pretraining_samples']:,} samples, from which every line",
        f"  starts; then each line for {facts['steps']} steps of {facts['batch_size']} clips at a rate of",
        f"  {facts['learning_rate']:g}, {frozen}, in {took}. `single_frame` was",
        "  trained on for as many samples. Nothing was tuned for any line.",
        f"- **Seeds:** {', '.join(map(str, seeds))}. Numbers are means over them; in brackets Student's 95 % interval",
        "  of the mean, where there are two or more.",
        f"- **Data:** train `{tags.get('data.train', 'unknown')}`, val `{stressed['data_hash']}`: {stressed['people']}",
        f"  people of val in {stressed['videos']} videos, with bboxes interpolated from the neighbouring labels.",
        f"- **Numbers:** {stressed['metric']} in percent; `degraded` is the mean over the kinds of degraded keyframes,",
        f"  each over its severities from {SEVERE} on. `interpolation` and `copy` are poses of `single_frame` at other",
        "  frames. Parameters and MACs are of the whole network; clips/s is the network alone, one clip a pass, with",
        f"  {facts['efficiency']['threads']} thread(s).",
    ]
    return "\n".join(
        [
            "# Ablation",
            "",
            f"Written {day} by `make ablate`, on commit `{tags.get('git.sha', 'unknown')[:12]}`; trained on",
            f"{tags.get('device', 'unknown')}: {tags.get('hardware', 'unknown')}.",
            "",
            *told,
            *_told_apart(cells),
        ]
    )


def _told_apart(cells: Mapping[str, Sequence[Cell]]) -> list[str]:
    """The lines that were trained on other keyframes than the control, which are tested on such; Markdown."""
    spoilt = {name: _spoilt(group[0].augment) for name, group in cells.items()}
    others = [f"`{name}` with {how}" for name, how in spoilt.items() if how != spoilt[CONTROL]]
    if not others:
        return []
    return [
        f"- **Trained otherwise:** {'; '.join(others)}; every other line, and with it `{CONTROL}`,",
        f"  `interpolation` and `copy`, with {spoilt[CONTROL]}.",
        "  Some of these are the degradations tested: that much of a lead may be the training's and not the network's.",
    ]


def _spoilt(augment: AugmentConfig) -> str:
    dropped, degraded = 100 * augment.keyframe_dropout, 100 * augment.keyframe_degradation
    kinds = f" ({', '.join(map(named, augment.keyframe_kinds))})" if degraded else ""
    return f"{dropped:g} % of the keyframes made useless and {degraded:g} % degraded{kinds}"


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The lines as a Markdown table."""
    kinds = [key for key in rows[0] if f"{key}_low" in rows[0] and key not in HEADINGS]
    columns = ["clean", "degraded", *kinds, *COST]
    names = ["network", *(HEADINGS.get(key, key.replace("_", " ")) for key in columns)]
    body = [[f"`{row['network']}`", *(_shown(row, key) for key in columns)] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in (names, ["---", *["---:"] * len(columns)], *body))


def _shown(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key, math.nan)
    if math.isnan(value):
        return "-"
    if key in COST:
        return f"{value:.4g}"
    low, high = row[f"{key}_low"], row[f"{key}_high"]
    return f"{value:.1f}" if math.isnan(low) else f"{value:.1f} ({low:.1f} to {high:.1f})"
