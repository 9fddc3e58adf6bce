"""Run a search from the driver, follow its trials, and keep its winner."""

import hashlib
import json
import logging
from dataclasses import asdict
from functools import partial
from typing import Any

import optuna
import pandas as pd
import ray
import ray.tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from pipeline.search.config import Range, TuneConfig
from pipeline.search.follow import TrialFollower
from pipeline.search.trial import run_trial
from pipeline.tracking.tracker import Tracker
from pipeline.training.storage import RunFolder
from pipeline.training.yardstick import SCORE

log = logging.getLogger(__name__)


def search(config: TuneConfig, job: dict[str, Any], *, name: str, storage: str, tracker: Tracker) -> pd.DataFrame:
    """Try `config.trials` sets of values on `job`, a job's plain values.

    A search that was killed goes on without repeating finished trials.

    Returns:
        One row a trial, best first: `trial`, `status`, `step`, the metric, and a column for each searched key.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder = f"{storage}/{name}"
    resources = {"cpu": config.cpus_per_trial, "gpu": config.gpus_per_trial}
    cluster: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    at_once = room(cluster, resources)
    log.info("%d trials, %d at once on %.0f CPUs", config.trials, at_once, cluster["CPU"])
    trainable = ray.tune.with_resources(partial(run_trial, job=job), resources)
    if ray.tune.Tuner.can_restore(folder):
        log.info("resuming the search %s", name)
        tuner = ray.tune.Tuner.restore(folder, trainable, resume_unfinished=True, restart_errored=True)
    else:
        tuner = ray.tune.Tuner(
            trainable,
            param_space={key: domain(value) for key, value in config.space.items()},
            tune_config=_tune_config(config, at_once),
            run_config=ray.tune.RunConfig(
                name=name, storage_path=storage, verbose=0, callbacks=[TrialFollower(tracker, SCORE)]
            ),
        )
    table = _table(tuner.fit(), list(config.space))
    RunFolder(folder).remove()  # it finished: the next time, the stage was forced and starts over
    return table


def room(cluster: dict[str, float], trial: dict[str, float]) -> int:
    """How many trials fit on a cluster at once."""
    wanted = [(cluster.get(kind.upper(), 0.0), amount) for kind, amount in trial.items() if amount]
    return max(1, min(int(have // amount) for have, amount in wanted))


def domain(value: Any) -> Any:
    """Ray's form of a range or a choice."""
    if isinstance(value, Range):
        return (ray.tune.loguniform if value.log else ray.tune.uniform)(value.low, value.high)
    return ray.tune.choice(list(value.values))


def search_name(config: TuneConfig, run: str) -> str:
    """The name under which a search is kept: a digest of its configuration and of the run that it varies."""
    digest = hashlib.sha256(json.dumps([asdict(config), run], sort_keys=True).encode()).hexdigest()
    return f"tune-{digest[:16]}"


def _tune_config(config: TuneConfig, at_once: int) -> Any:
    return ray.tune.TuneConfig(
        metric=SCORE,
        mode="max",
        num_samples=config.trials,
        max_concurrent_trials=at_once,
        search_alg=OptunaSearch(seed=config.seed),
        scheduler=ASHAScheduler(time_attr="step", max_t=config.steps, grace_period=config.grace_steps),
    )


def _table(results: Any, keys: list[str]) -> pd.DataFrame:
    rows = []
    for result in results:
        metrics = result.metrics or {}
        rows.append(
            {
                "trial": metrics.get("trial_id", ""),
                "status": "error" if result.error else "finished",
                "step": metrics.get("step"),
                SCORE: metrics.get(SCORE),
                **{key: result.config[key] for key in keys},
            }
        )
    return pd.DataFrame(rows).sort_values(SCORE, ascending=False, ignore_index=True)
