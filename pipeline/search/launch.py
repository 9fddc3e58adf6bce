"""Run the trials of a search on Ray, from the driver."""

import hashlib
import json
import logging
import os
from dataclasses import asdict
from functools import partial
from typing import Any

import optuna
import ray.tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from pipeline.refusal import Refusal
from pipeline.search.config import TuneConfig
from pipeline.search.follow import TrialFollower
from pipeline.search.journal import Journal, Trial
from pipeline.search.space import domain
from pipeline.search.trial import run_trial
from pipeline.tracking.tracker import Tracker
from pipeline.training.interrupting import interrupting
from pipeline.training.job import contents_of_code
from pipeline.training.room import nodes, refuse_cramped
from pipeline.training.yardstick import SCORE

CODE = "pipeline/search"
"""What decides the scores of trials, beside what decides the weights of a run."""

SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no files of Ray's own for each trial
    "RAY_AIR_NEW_OUTPUT": "0",  # of its two kinds of output the one that `verbose=0` silences
}

log = logging.getLogger(__name__)


@interrupting()
def search(
    config: TuneConfig, job: dict[str, Any], *, name: str, storage: str, max_failures: int, tracker: Tracker
) -> list[Trial]:
    """Try `config.trials` sets of values on `job`, a job's plain values.

    A search that was killed goes on: trials that ended are not repeated, those that were cut off start again. Which of
    the others lag behind is judged among those that run from then on.

    Returns:
        All trials, by number.

    Raises:
        Refusal: it ended before its trials did.
        KeyboardInterrupt: Ctrl-C came after them.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    os.environ.update(SETTINGS)
    logging.getLogger("ray.tune.analysis.experiment_analysis").setLevel(logging.ERROR)  # it misses Ray's files
    journal = Journal(f"{storage}/{name}/trials")
    known = journal.trials()
    done = [trial for trial in known if trial.status != "running"]
    if known:
        log.info("resuming the search %s: %d of %d trials have ended", name, len(done), config.trials)
    if len(done) < config.trials:
        follower = TrialFollower(tracker, journal, metric=SCORE, steps=config.steps, known=known)
        resources = {kind.lower(): amount for kind, amount in config.share.items()}
        _fit(
            ray.tune.with_resources(partial(run_trial, job=job), resources),
            ray.tune.TuneConfig(
                metric=SCORE,
                mode="max",
                num_samples=config.trials - len(done),
                max_concurrent_trials=_at_once(config),
                search_alg=searcher(config, known),
                scheduler=ASHAScheduler(time_attr="step", max_t=config.steps, grace_period=config.grace_steps),
            ),
            name=name,
            storage=storage,
            max_failures=max_failures,
            follower=follower,
        )
    return whole(journal.trials(), count=config.trials)


def whole(trials: list[Trial], *, count: int) -> list[Trial]:
    """The trials as they are, which have all ended: of Ctrl-C Ray makes a search that came to its end before.

    Raises:
        Refusal: fewer than `count` have ended, so there is no winner among them yet.
    """
    ended = sum(trial.status != "running" for trial in trials)
    if ended < count:
        raise Refusal(
            f"tune: interrupted when {ended} of {count} trials had ended; the same command goes on with the rest"
        )
    return trials


def searcher(config: TuneConfig, known: list[Trial]) -> OptunaSearch:
    """Optuna's TPE, which knows the trials that ended and proposes those first that were cut off.

    Its seed moves on with the trials that were proposed, ended or cut off: the first one would draw their values again.
    """
    ended = [trial for trial in known if trial.status != "running"]
    cut_off = [trial.proposed for trial in known if trial.status == "running"]
    made = OptunaSearch(
        OptunaSearch.convert_search_space({key: domain(value) for key, value in config.space.items()}),
        metric=SCORE,
        mode="max",
        points_to_evaluate=cut_off or None,
        seed=config.seed + len(known),
    )
    for trial in ended:
        score = 0.0 if trial.fault else trial.scores.get(SCORE, 0.0)  # what diverged may have had scores before
        made.add_evaluated_point(dict(trial.proposed), score, error=trial.status == "died")
    return made


def search_name(config: TuneConfig, run: str) -> str:
    """The name under which a search is kept: a digest of its configuration, its code and the run that it varies."""
    values = [asdict(config), contents_of_code([CODE]), run]
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    return f"tune-{digest[:16]}"


def _at_once(config: TuneConfig) -> int:
    have = nodes()
    fit = refuse_cramped(have, config.share, fewest=1, what="trials", keys="tune.cpus_per_trial, tune.gpus_per_trial")
    at_once = max(1, fit)
    kinds = [f"{sum(node.get(kind, 0.0) for node in have):.0f} {kind}s" for kind in config.share]
    log.info("%d trials, %d at once on %s", config.trials, at_once, " and ".join(kinds))
    return at_once


def _fit(
    trainable: Any, tune_config: Any, *, name: str, storage: str, max_failures: int, follower: TrialFollower
) -> None:
    tuner = ray.tune.Tuner(
        trainable,
        tune_config=tune_config,
        run_config=ray.tune.RunConfig(
            name=name,
            storage_path=storage,
            verbose=0,
            callbacks=[follower],
            failure_config=ray.tune.FailureConfig(max_failures=max_failures),
        ),
    )
    tuner.fit()
