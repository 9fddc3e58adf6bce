"""A search with its record: an MLflow run with one nested run a trial, the tables, the pictures, and the winner."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.artifacts import resolved, write_json
from pipeline.cluster import connected
from pipeline.refusal import Refusal
from pipeline.search.config import TuneConfig, by_section
from pipeline.search.journal import Journal, Trial
from pipeline.search.launch import search, search_name
from pipeline.search.pictures import draw_parallel
from pipeline.search.space import refuse_impossible
from pipeline.search.tables import counts, importances, trial_table
from pipeline.shards.manifest import manifest_bytes
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.lineage import lineage
from pipeline.tracking.runs import MlflowTracker, resume_run, start_run
from pipeline.training.job import SPLITS, Job, run_name


def tune(config: TuneConfig, job: Job, out: Path, tracking: TrackingConfig) -> None:
    """Search, and write into `out`: `best.json`, `trials.csv`, `importance.csv` and `parallel.svg`.

    Trials are short runs of `job`, which a winner's values must suit as it is.
    """
    if config.trials == 0:
        _write(out, [], config)
        return
    short = trial_job(job, config)
    refuse_impossible(config, trial=short.to_dict(), whole=job.to_dict())
    name, storage = search_name(config, run_name(short)), job.cluster.storage_path
    journal = Journal(f"{storage}/{name}/trials")
    tracker = _tracker(journal, job, tracking)
    try:
        with connected():
            trials = search(
                config,
                short.to_dict(),
                name=name,
                storage=storage,
                max_failures=job.cluster.max_failures,
                tracker=tracker,
            )
        _write(out, trials, config)
    except BaseException:
        tracker.finish(failed=True)
        raise
    tracker.log_file(out, folder="")
    failed = all(trial.fault for trial in trials)
    tracker.finish(failed=failed)
    Journal(f"{storage}/{name}").forget()  # a search that is over and comes back was forced, and starts anew
    if failed:
        raise Refusal(f"all {len(trials)} trials failed, the first because: {trials[0].fault}")


def _tracker(journal: Journal, job: Job, tracking: TrackingConfig) -> MlflowTracker:
    """The run of the whole search: that of its earlier part, or a new one."""
    earlier = journal.run()
    found = None if earlier is None else resume_run(tracking, earlier)
    if found is None:
        manifests: dict[str, Any] = {split: json.loads(manifest_bytes(job.split(split))) for split in SPLITS}
        found = start_run(tracking, "tune", tags=lineage(manifests))
        journal.claim_run(found.run_id)
    return found


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
        job.cluster,
        workers=1,
        min_workers=None,
        cpus_per_worker=config.cpus_per_trial,
        gpus_per_worker=config.gpus_per_trial,
    )
    return replace(job, train=train, cluster=cluster)


def _write(out: Path, trials: Sequence[Trial], config: TuneConfig) -> None:
    """Write what the search found, the trials that failed among it."""
    table = trial_table(trials, list(config.space))
    out.mkdir(parents=True, exist_ok=True)
    table.to_csv(out / "trials.csv", index=False)
    importances(trials, config).to_csv(out / "importance.csv", index=False)
    draw_parallel(table, config, out / "parallel.svg")
    winner = next((trial for trial in trials if trial.number == table.loc[0, "trial"]), None)
    write_json(
        out / "best.json",
        {
            "chosen": {} if winner is None else by_section(dict(winner.proposed)),
            "trial": None if winner is None else winner.number,
            "trials": len(trials),
            "ended": counts(trials),
            "config": resolved(tune=config),
        },
    )
