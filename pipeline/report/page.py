"""The page: one HTML file that needs nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts import write_text
from pipeline.pages.template import fill
from pipeline.pages.tones import PLAIN
from pipeline.report import tables
from pipeline.report.cases import clip_cases, example_cases
from pipeline.report.charts import (
    TERM,
    joint_charts,
    joint_groups,
    joint_metric,
    loss_charts,
    pckh_chart,
    select_chart,
    stress_charts,
)
from pipeline.report.config import ReportConfig
from pipeline.report.inputs import Inputs
from pipeline.report.palette import Method, methods

STATES = ("holds", "does not hold", "undecided")
BOXES = {"neighbour": "interpolated from the neighbouring labelled frames"}
"""What the stages' words for a source of boxes mean."""
UNITS = {True: "head sizes", False: "0.4 of the longer side of the box"}
"""What distances are counted in, by whether the official protocol applies."""


RANDOM = "random weights"
"""What pretraining starts from, unless weights were imported."""


def write_page(out: Path, inputs: Inputs, config: ReportConfig) -> None:
    """Write the page to the file `out`; the same inputs give the same bytes."""
    write_text(out, render(inputs, config))


def render(inputs: Inputs, config: ReportConfig) -> str:
    """The page as HTML."""
    known = methods(_names(inputs))
    values = {
        **_verdict(inputs),
        **_pictures(inputs, config, known),
        **_numbers(inputs, config, known),
        "tones": [*PLAIN, *(method.tone for method in known.values())],
        "methods": known,
        "lineage": lineage(inputs),
        "origin": RANDOM if inputs.start is None else "imported weights",
        "stress_boxes": _boxes(inputs.stress),
        "has_bands": bool(inputs.curves["ap_low"].notna().any()),
        "joint_metric": joint_metric(inputs),
        "inputs": inputs,
        "config": config,
    }
    return fill(Path(__file__).with_name("page.html.j2"), values, filters={"number": tables.number})


def lineage(inputs: Inputs) -> list[tuple[str, str]]:
    """Where the model and its numbers come from, as names with values."""
    registered, run, tags = inputs.registered, inputs.run, inputs.registered["tags"]
    commit = tags.get("git.sha", "") + (" with uncommitted changes" if tags.get("git.dirty") == "true" else "")
    return list(
        tables.pairs(
            [
                ("model", f"{registered['name']}, version {registered['version']}"),
                ("weights, sha256", tags.get("sha256")),
                ("MLflow run", registered["run_id"]),
                ("training run", run["name"]),
                ("samples seen in training", f"{run['samples']:,}"),
                ("pretraining started from", RANDOM if inputs.start is None else f"weights, sha256 {inputs.start}"),
                ("kept checkpoint", f"step {run['best']['step']:g}"),
                ("git commit", commit),
                ("DVC experiment", tags.get("dvc.experiment")),
                ("data, train", tags.get("data.train")),
                ("data, select", tags.get("data.select")),
                ("data, val", inputs.metrics["data_hash"]),
                ("metric", inputs.metric),
                ("boxes of the evaluation", inputs.metrics["boxes"]),
                ("boxes of the stress test", _boxes(inputs.stress)),
                ("skeleton", inputs.skeleton.name),
            ]
        )
    )


def claims(stress: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Kind, state and reason of each verdict, those that hold first."""
    found = [(kind.replace("_", " "), entry["holds"], entry["text"]) for kind, entry in stress["verdict"].items()]
    return sorted(found, key=lambda claim: STATES.index(claim[1]))


def _boxes(stress: Mapping[str, Any]) -> str:
    source = str(stress["boxes"])
    return BOXES.get(source, source)


def _verdict(inputs: Inputs) -> dict[str, Any]:
    found = claims(inputs.stress)
    return {
        "claims": found,
        "kinds_by_state": {
            state: [kind for kind, own, _ in found if own == state]
            for state in STATES
            if any(own == state for _, own, _ in found)
        },
        "final_ap": inputs.metrics["readouts"]["final"]["ap"]["Total"],
        "control_ap": inputs.metrics["controls"]["mean_pose"]["ap"]["Total"],
        "margin": inputs.metrics["margin_over_mean_pose"],
        "retention": inputs.stress["retention"],
    }


def _pictures(inputs: Inputs, config: ReportConfig, known: Mapping[str, Method]) -> dict[str, Any]:
    return {
        "clips": clip_cases(inputs, config, methods=known),
        "examples": example_cases(inputs, config, methods=known),
        "stress_charts": stress_charts(inputs.curves, known),
        "joint_charts": joint_charts(inputs, known),
        "pckh_chart": pckh_chart(inputs.pckh, known, unit=UNITS[inputs.is_official]),
        "loss_charts": loss_charts(inputs.histories, known),
        "select_chart": select_chart(inputs.histories, known, yardstick=inputs.run["yardstick"]),
    }


def _numbers(inputs: Inputs, config: ReportConfig, known: Mapping[str, Method]) -> dict[str, Any]:
    kinds = inputs.curves["kind"].unique()
    return {
        "scores": _scores(inputs, known),
        "sequences": tables.sequences(inputs.metrics),
        "parts": tables.parts(inputs.breakdown),
        "interval": inputs.metrics["intervals"]["ap"]["final"],
        "severities": [tables.severities(inputs.curves, kind, known) for kind in kinds],
        "trials": tables.trials(inputs.trials, count=config.trials, score=inputs.run["yardstick"]["name"]),
        "chosen": tables.chosen(inputs.best),
        "splits": tables.splits(inputs.checks),
    }


def _scores(inputs: Inputs, known: Mapping[str, Method]) -> tables.Table:
    groups = joint_groups(inputs.skeleton)
    if inputs.is_official:
        return tables.official_scores(inputs.metrics, groups=groups, methods=known)
    # Nothing says who is who among detected people, so they have no PCK.
    return tables.other_scores(inputs.metrics, groups=() if inputs.is_detected else groups, methods=known)


def _names(inputs: Inputs) -> set[str]:
    """Everything on the page that has a colour."""
    columns = {str(column) for history in inputs.histories.values() for column in history}
    return {
        *inputs.metrics["readouts"],
        *inputs.metrics["controls"],
        *inputs.curves["method"],
        *(name for example in inputs.examples for name in example["poses"]),
        *(column.removeprefix(TERM) for column in columns if column.startswith(TERM)),
    }
