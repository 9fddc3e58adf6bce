"""What Optuna proposes, and what it is told, where a search goes on."""

from typing import Any

import pytest

from pipeline.search.config import Range, TuneConfig
from pipeline.search.journal import Status, Trial
from pipeline.search.launch import searcher
from pipeline.training.yardstick import SCORE

RATE = "train.learning_rate"
CONFIG = TuneConfig(
    trials=8,
    seed=0,
    steps=20,
    report_every=10,
    grace_steps=10,
    cpus_per_trial=1.0,
    gpus_per_trial=0.0,
    space={RATE: Range(low=1e-4, high=1e-2, log=True)},
)


def trial_of(number: int, *, rate: float, status: Status = "finished", score: float = 1.0, fault: str = "") -> Trial:
    return Trial(number=number, proposed={RATE: rate}, status=status, step=10, scores={SCORE: score}, fault=fault)


def proposed(count: int, known: list[Trial]) -> list[float]:
    """The next rates to try."""
    made = searcher(CONFIG, known)
    return [(made.suggest(f"trial {number}") or {})[RATE] for number in range(count)]


@pytest.mark.parametrize("status", ["running", "finished"])
def test_what_was_cut_off_is_proposed_first_and_no_other_value_is_drawn_again(status: Status) -> None:
    wave = proposed(4, [])

    after = proposed(8, [trial_of(number, rate=rate, status=status) for number, rate in enumerate(wave)])

    cut_off = wave if status == "running" else []
    assert after[: len(cut_off)] == cut_off
    assert set(after[len(cut_off) :]).isdisjoint(wave)


def test_the_first_values_follow_from_the_seed() -> None:
    assert proposed(3, []) == proposed(3, [])


def test_a_trial_that_diverged_counts_as_bad_though_it_scored_before() -> None:
    known = [
        trial_of(0, rate=1e-3, score=30.0),
        trial_of(1, rate=9e-3, score=35.0, status="diverged", fault="the loss is not finite"),
    ]

    study: Any = searcher(CONFIG, known)._ot_study

    assert [trial.value for trial in study.trials] == [30.0, 0.0]
