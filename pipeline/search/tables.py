"""The result of a search as tables: its trials, and how much each key mattered."""

from collections import Counter
from collections.abc import Sequence

import optuna
import pandas as pd
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from pipeline.search.config import Choice, TuneConfig
from pipeline.search.journal import Trial
from pipeline.training.yardstick import SCORE

WHOLE = "finished"


def trial_table(trials: Sequence[Trial], keys: Sequence[str]) -> pd.DataFrame:
    """One row a trial: the whole ones first, by score, then those that were stopped, and last those without a score."""
    rows = [
        {
            "trial": trial.number,
            "status": trial.status,
            "step": trial.step,
            SCORE: None if trial.fault else trial.scores.get(SCORE),
            **{key: trial.proposed[key] for key in keys},
            "fault": trial.fault,
        }
        for trial in trials
    ]
    table = pd.DataFrame(rows, columns=["trial", "status", "step", SCORE, *keys, "fault"])
    table[SCORE] = table[SCORE].astype(float)
    order = table.assign(whole=table["status"] == WHOLE).sort_values(
        ["whole", SCORE, "trial"], ascending=[False, False, True]
    )
    return table.loc[order.index].reset_index(drop=True)


def counts(trials: Sequence[Trial]) -> dict[str, int]:
    """How many trials ended in which way; those that died are in it."""
    found = Counter(trial.status for trial in trials)
    return {status: found[status] for status in ("finished", "stopped", "diverged", "died")}


def importances(trials: Sequence[Trial], config: TuneConfig) -> pd.DataFrame:
    """Each key's share of what makes a good trial, by PED-ANOVA on the whole trials (Watanabe et al., IJCAI 2023).

    Columns `key` and `importance`, which adds up to 1, most important first. No rows where fewer than two trials are
    whole, or all scored the same: then nothing can be said.
    """
    whole = [trial for trial in trials if trial.status == WHOLE]
    if len({trial.scores[SCORE] for trial in whole}) < 2:
        return pd.DataFrame(columns=["key", "importance"])
    study = optuna.create_study(direction="maximize")
    study.add_trials([_as_optuna(trial, config) for trial in whole])
    found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    rows = sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))
    return pd.DataFrame(rows, columns=["key", "importance"])


def _as_optuna(trial: Trial, config: TuneConfig) -> optuna.trial.FrozenTrial:
    return optuna.trial.create_trial(
        params=dict(trial.proposed),
        distributions={
            key: optuna.distributions.CategoricalDistribution(value.values)
            if isinstance(value, Choice)
            else optuna.distributions.FloatDistribution(value.low, value.high, log=value.log)
            for key, value in config.space.items()
        },
        value=trial.scores[SCORE],
    )
