"""A training run with its record: an MLflow run, and the small files that later stages read."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from pipeline.artifacts import write_json
from pipeline.cluster import connected
from pipeline.shards.manifest import manifest_bytes
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.lineage import RECORDS, provenance
from pipeline.tracking.runs import MlflowTracker, start_run
from pipeline.tracking.tracker import Tracker
from pipeline.training.job import SPLITS, Job, run_name
from pipeline.training.launch import Outcome, close, train
from pipeline.training.machine import machine
from pipeline.training.recipe import Row

RUN_TAG = "run.name"
"""Tag of an MLflow run: the name under which the training run is kept and resumed."""


def train_tracked(job: Job, out: Path, tracking: TrackingConfig, *, name: str, parent: str | None = None) -> None:
    """Run `job` and write `out/model` (the best network), `out/run.json` and `out/history.csv`.

    The run is nested where `parent` is the id of one.
    """
    manifests: dict[str, bytes] = {split: manifest_bytes(job.split(split)) for split in SPLITS}
    config = {key: value for key, value in job.to_dict().items() if key not in {"shards", "start"}}
    config["reader"]["store"].pop("cache")  # a place on this machine
    with connected():
        tags = provenance(manifests, config=config, shards=job.shards) | machine(job.cluster)
        tracker = open_run(job, tracking, name=name, tags=tags, parent=parent)
        heard: list[Row] = []
        try:
            tracker.log_params(config)
            outcome = train(job, out / "model", listen=partial(_listen, tracker, heard))
            _record(outcome, job, out, tracker, tags=tags)
            for row in before(outcome.history, heard):
                _listen(tracker, [], row)
            tracker.log_file(out / "model", folder="model")
            for record in (path for path in map(Path, RECORDS) if path.is_file()):
                tracker.log_file(record, folder="lineage")
        except BaseException:
            tracker.finish(failed=True)
            raise
    tracker.finish()
    close(job, outcome)


def open_run(
    job: Job, tracking: TrackingConfig, *, name: str, tags: Mapping[str, str], parent: str | None
) -> MlflowTracker:
    """The MLflow run of `job`, which will hold all of its history.

    One that a killed driver has left open holds less, and is closed as killed.
    """
    return start_run(tracking, name, tags={**tags, RUN_TAG: run_name(job)}, parent=parent, sole=RUN_TAG)


def _listen(tracker: Tracker, heard: list[Row], row: Row) -> None:
    heard.append(row)
    tracker.log_metrics({key: value for key, value in row.items() if key != "step"}, step=int(row["step"]))


def before(history: Sequence[Row], heard: Sequence[Row]) -> list[Row]:
    """The rows of a run from before the interruption that it went on from, which this part of it never heard."""
    first = min((row["step"] for row in heard), default=math.inf)
    return [row for row in history if row["step"] < first]


def _record(outcome: Outcome, job: Job, out: Path, tracker: Tracker, *, tags: Mapping[str, str]) -> None:
    write_json(
        out / "run.json",
        {
            "run_id": tracker.run_id,
            "name": outcome.name,
            "best": outcome.best,
            "samples": job.train.steps * job.train.batch_size,
            "start": job.start_weights,
            "yardstick": asdict(job.recipe.yardstick),
            "tags": dict(tags),
        },
    )
    write_history(out / "history.csv", outcome.history)
    tracker.log_file(out / "history.csv", folder="")


def write_history(path: Path, history: list[Row]) -> None:
    """One row a step; a column that a row has no value for stays empty."""
    rows: dict[float, Row] = {}
    for row in history:
        rows.setdefault(row["step"], {}).update(row)
    columns = ["step", *sorted({name for row in rows.values() for name in row} - {"step"})]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows.values())
