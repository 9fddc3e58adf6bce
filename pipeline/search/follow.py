"""Follow the trials of a search on the driver: a line of progress and a nested run for each."""

import logging
from typing import Any

from ray.tune import Callback

from pipeline.tracking.tracker import Tracker

log = logging.getLogger(__name__)


class TrialFollower(Callback):
    """Keeps each trial's values and scores as a nested run of the tracker."""

    def __init__(self, tracker: Tracker, metric: str) -> None:
        self._tracker, self._metric = tracker, metric
        self._runs: dict[str, Tracker] = {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        """Open the trial's run."""
        self._runs[trial.trial_id] = self._tracker.child(trial.trial_id)
        self._runs[trial.trial_id].log_params(trial.config)
        log.info("trial %s: %s", trial.trial_id, _shown(trial.config))

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        """Keep a score."""
        scores = {name: value for name, value in result.items() if name.startswith("select/")}
        self._runs[trial.trial_id].log_metrics(scores, step=int(result["step"]))
        log.info("trial %s  step %d  %s %.1f", trial.trial_id, result["step"], self._metric, result[self._metric])

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        """Close the run of a trial that ended or was stopped."""
        self._runs[trial.trial_id].finish()

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        """Close the run of a trial that died."""
        log.warning("trial %s failed; see %s", trial.trial_id, trial.error_file)
        self._runs[trial.trial_id].finish(failed=True)


def _shown(config: dict[str, Any]) -> str:
    return "  ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in config.items()
    )
