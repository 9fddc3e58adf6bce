"""Follow the trials of a search on the driver: progress, the journal, and a nested run for each."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray.tune import Callback

from pipeline.search.journal import Journal, Trial, ended
from pipeline.tracking.tracker import Tracker

log = logging.getLogger(__name__)


class TrialFollower(Callback):
    """Keeps each trial's values, curve and end, in the journal and as a nested run of the tracker."""

    def __init__(self, tracker: Tracker, journal: Journal, *, metric: str, steps: int, known: Iterable[Trial]) -> None:
        self._tracker, self._journal = tracker, journal
        self._metric, self._steps = metric, steps
        self._known = {trial.number: trial for trial in known}
        self._cut_off = [trial for trial in self._known.values() if trial.status == "running"]
        self._trials: dict[str, Trial] = {}
        self._runs: dict[str, Tracker] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray writes its callbacks down to restore a search by itself; ours is restored from the journal."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        """Open the trial's run; one that starts again after a failure goes on in its own."""
        if trial.trial_id in self._trials:
            log.warning("trial %d starts again after a failure", self._trials[trial.trial_id].number)
            return
        begun = Trial(
            number=self._number(trial.config), proposed=trial.config, status="running", step=0, scores={}, fault=""
        )
        self._keep(trial.trial_id, begun)
        self._runs[trial.trial_id] = self._tracker.child(f"trial {begun.number}")
        self._runs[trial.trial_id].log_params(begun.proposed)
        log.info("trial %d: %s", begun.number, _shown(begun.proposed))

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        """Keep a score, once: a trial that started again repeats those that it had."""
        own = self._trials[trial.trial_id]
        fault, step = result.get("fault", ""), int(result["step"])
        if fault:
            self._keep(trial.trial_id, replace(own, fault=fault))
            log.warning("trial %d: %s", own.number, fault)
        elif step > own.step:
            curve = {name: value for name, value in result.items() if name.startswith(("select/", "loss"))}
            scores = {name: value for name, value in curve.items() if name.startswith("select/")}
            self._keep(trial.trial_id, replace(own, step=step, scores=scores))
            self._runs[trial.trial_id].log_metrics(curve, step=step)
            log.info("trial %d  step %d  %s %.1f", own.number, step, self._metric, result[self._metric])

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        """Close a trial that ended or was stopped."""
        self._close(trial.trial_id, ended(self._trials[trial.trial_id], steps=self._steps))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        """Close a trial that died."""
        own = self._trials[trial.trial_id]
        fault = _last_line(trial)
        log.warning("trial %d died: %s", own.number, fault)
        self._close(trial.trial_id, replace(own, status="died", fault=fault))

    def _number(self, values: dict[str, Any]) -> int:
        """A new number, or that of the trial with these values that an earlier part of the search did not end."""
        for trial in self._cut_off:
            if trial.proposed == values:
                self._cut_off.remove(trial)
                return trial.number
        return max(self._known, default=-1) + 1

    def _keep(self, trial_id: str, trial: Trial) -> None:
        self._trials[trial_id] = self._known[trial.number] = trial
        self._journal.keep(trial)

    def _close(self, trial_id: str, trial: Trial) -> None:
        self._keep(trial_id, trial)
        self._runs[trial_id].finish(failed=trial.status in {"died", "diverged"})


def _last_line(trial: Any) -> str:
    """What the error says, without Ray's traceback; it is in a file on the driver's own disk."""
    lines = Path(trial.error_file).read_text(encoding="utf-8").strip().splitlines()
    return lines[-1].strip()[:300]


def _shown(config: dict[str, Any]) -> str:
    return "  ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in config.items()
    )
