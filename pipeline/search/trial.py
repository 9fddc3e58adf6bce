"""One trial: the training loop, short and in one process, with the proposed values."""

import logging
from typing import Any

import ray.tune
import torch

from pipeline.training.job import from_dict
from pipeline.training.loop import Run, fit, start
from pipeline.training.recipe import Row
from pipeline.training.worker import ShardData, build_network

log = logging.getLogger(__name__)


class TrialReporter:
    """Reports scores to Ray Tune."""

    def progress(self, row: Row) -> None:
        """Trials are followed by their scores alone."""

    def notice(self, text: str) -> None:
        """A trial's own log keeps it."""
        log.warning("%s", text)

    def save(self, row: Row, *, run: Run) -> None:  # noqa: ARG002  (a trial keeps no checkpoint; the winner trains anew)
        """Report a score; Tune may stop the trial here."""
        ray.tune.report(row)


def run_trial(proposed: dict[str, Any], *, job: dict[str, Any]) -> None:
    """Train by `job`, a job's plain values, with `proposed` values by dotted name put into it."""
    values = {**job}
    for name, value in proposed.items():
        section, _, key = name.partition(".")
        values[section] = {**values[section], key: value}
    parsed = from_dict(values)
    torch.set_num_threads(parsed.cluster.threads)
    recipe = parsed.recipe
    run = start(build_network(parsed, recipe), recipe)
    fit(run, ShardData(parsed, rank=0, world=1), TrialReporter(), rank=0)
