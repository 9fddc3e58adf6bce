"""What Optuna proposes once a search goes on."""

import pytest

from pipeline.search.config import Range, TuneConfig
from pipeline.search.journal import Status, Trial
from pipeline.search.launch import searcher

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


def proposed(count: int, known: list[Trial]) -> list[float]:
    """The next rates that it tries."""
    made = searcher(CONFIG, known)
    return [made.suggest(f"trial {number}")[RATE] for number in range(count)]


def trials(rates: list[float], status: Status) -> list[Trial]:
    return [
        Trial(number=number, proposed={RATE: rate}, status=status, step=0, scores={}, fault="")
        for number, rate in enumerate(rates)
    ]


@pytest.mark.parametrize("status", ["running", "died"])
def test_no_value_is_drawn_twice_whether_its_trial_had_ended_or_not(status: Status) -> None:
    wave = proposed(4, [])

    after = proposed(8, trials(wave, status))

    repeated = wave if status == "running" else []
    assert after[: len(repeated)] == repeated
    assert set(after[len(repeated) :]).isdisjoint(wave)
