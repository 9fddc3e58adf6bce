"""The space of a search: Ray's form of it, and the values of a trial put into a job."""

from collections.abc import Mapping
from typing import Any

import ray.tune

from pipeline.params import laid
from pipeline.refusal import Refusal
from pipeline.search.config import Choice, Range, TuneConfig
from pipeline.training.job import from_dict, refuse_unfit


def domain(value: Range | Choice) -> Any:
    """Ray's form of a range or a choice."""
    if isinstance(value, Range):
        return (ray.tune.loguniform if value.log else ray.tune.uniform)(value.low, value.high)
    return ray.tune.choice(list(value.values))


def refuse_impossible(config: TuneConfig, *, trial: Mapping[str, Any], whole: Mapping[str, Any]) -> None:
    """Refuse a space with a value that no job can have, before any trial runs into it, or the run of its winner.

    Each end of a range and each value of a choice is tried, beside the first ones of the other keys; what is wrong in
    combination shows in a trial, which then counts as diverged.

    Args:
        config: the search.
        trial: plain values of a trial's job, in one process.
        whole: those of the job that takes the winner's values, on all ranks.
    """
    for name, value in config.space.items():
        for end in value.ends:
            try:
                for job in (trial, whole):
                    refuse_unfit(from_dict(laid({name: end}, job)))
            except Refusal as refusal:
                raise Refusal(f"tune.space.{name}: {end!r} is impossible: {refusal}") from None
