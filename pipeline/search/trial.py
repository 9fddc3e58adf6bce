"""One trial: the training loop, short and in one process, with the proposed values."""

import logging
from typing import Any

import ray.tune
import torch

from pipeline.params import laid
from pipeline.refusal import Refusal
from pipeline.training.guards import NoRoomError
from pipeline.training.job import Job, from_dict, refuse_unfit
from pipeline.training.loop import fit
from pipeline.training.recipe import Row
from pipeline.training.run import Run, start
from pipeline.training.worker import ShardData, build_network
from pipeline.training.yardstick import SCORE

log = logging.getLogger(__name__)


class TrialReporter:
    """Reports to Ray Tune: the scores, and with them the losses of the last line of progress."""

    def __init__(self) -> None:
        self._losses: Row = {}

    def progress(self, row: Row) -> None:
        """Keep the losses for the next score."""
        self._losses = {name: value for name, value in row.items() if name.startswith("loss")}

    def notice(self, text: str) -> None:
        """A trial's own log keeps it."""
        log.warning("%s", text)

    def save(self, row: Row, *, run: Run) -> None:  # noqa: ARG002  (a trial keeps no checkpoint; the winner trains anew)
        """Report a score; Tune may stop the trial here."""
        ray.tune.report({**self._losses, **row})


def run_trial(proposed: dict[str, Any], *, job: dict[str, Any]) -> None:
    """Train by `job`, a job's plain values, with `proposed` values by dotted name put into it.

    Values that do not go together, for which there is no room, or with which the loss ceases to be a number, score zero
    and say why: started again they would fail again, and the search learns to keep away from them. Shards that cannot
    be read are no fault of the values.
    """
    try:
        varied = from_dict(laid(proposed, job))
        refuse_unfit(varied)
        run = _begun(varied)
    except Refusal as error:
        _report_fault(error)
        return
    try:
        fit(run, ShardData(varied, rank=0, world=1), TrialReporter(), rank=0)
    except (FloatingPointError, NoRoomError) as error:
        _report_fault(error)


def _begun(job: Job) -> Run:
    torch.set_num_threads(job.cluster.threads)
    recipe = job.recipe
    device = "cuda" if job.cluster.gpus_per_worker else "cpu"
    return start(build_network(job, recipe).to(device), recipe)


def _report_fault(error: Exception) -> None:
    ray.tune.report({"step": 0, SCORE: 0.0, "fault": " ".join(str(error).split())})
