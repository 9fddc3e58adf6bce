"""A search with its record: an MLflow run with one nested run a trial, the table, and the winner."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.artifacts import write_json
from pipeline.cluster import connected
from pipeline.refusal import Refusal
from pipeline.search.config import TuneConfig, nested
from pipeline.search.launch import search, search_name
from pipeline.shards.manifest import manifest_bytes
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.lineage import lineage
from pipeline.tracking.runs import start_run
from pipeline.training.job import Job, run_name
from pipeline.training.yardstick import SCORE


def tune(config: TuneConfig, job: Job, out: Path, tracking: TrackingConfig) -> None:
    """Search, and write `out/best.json` (the chosen values) and `out/trials.csv` (one row a trial)."""
    if config.trials == 0:
        _write(out, pd.DataFrame(columns=["trial", "status", "step", SCORE]), chosen={})
        return
    manifest = json.loads(manifest_bytes(job.split("train")))
    tracker = start_run(tracking, "tune", tags=lineage({"train": manifest}))
    try:
        with connected():
            table = search(
                config,
                job.to_dict(),
                name=search_name(config, run_name(job)),
                storage=job.cluster.storage_path,
                tracker=tracker,
            )
    except BaseException:
        tracker.finish(failed=True)
        raise
    if table[SCORE].isna().all():
        tracker.finish(failed=True)
        raise Refusal(f"all {len(table)} trials failed; their errors are in the lines above")
    _write(out, table, chosen={key: _plain(table.loc[0, key]) for key in config.space})
    tracker.log_file(out / "trials.csv", folder="")
    tracker.finish()


def trial_job(job: Job, config: TuneConfig) -> Job:
    """`job` shortened to a trial: fewer steps, one process, the trial's share of the cluster."""
    train = replace(
        job.train,
        steps=config.steps,
        warmup_steps=min(job.train.warmup_steps, config.steps // 4),
        log_every=config.report_every,
        evaluate_every=config.report_every,
    )
    cluster = replace(
        job.cluster, workers=1, cpus_per_worker=config.cpus_per_trial, gpus_per_worker=config.gpus_per_trial
    )
    return replace(job, train=train, cluster=cluster)


def _write(out: Path, table: pd.DataFrame, *, chosen: dict[str, object]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    table.to_csv(out / "trials.csv", index=False)
    write_json(out / "best.json", {"chosen": nested(chosen), "trials": len(table)})


def _plain(value: Any) -> object:
    """A NumPy scalar as Python's own."""
    return value.item() if hasattr(value, "item") else value
