"""The journal of a search, its tables and its picture."""

import re
from pathlib import Path

import pytest

from pipeline.search.config import Choice, Range, TuneConfig
from pipeline.search.journal import Journal, Status, Trial, ended
from pipeline.search.pictures import draw_parallel
from pipeline.search.tables import counts, importances, trial_table
from pipeline.training.yardstick import SCORE

CONFIG = TuneConfig(
    trials=40,
    seed=0,
    steps=20,
    report_every=10,
    grace_steps=10,
    cpus_per_trial=1.0,
    gpus_per_trial=0.0,
    space={
        "train.learning_rate": Range(low=1e-4, high=1e-2, log=True),
        "model.fusion.mode": Choice(values=("concat", "mean")),
    },
)


def trial_of(number: int, score: float | None, *, status: Status = "finished", rate: float = 1e-3) -> Trial:
    return Trial(
        number=number,
        proposed={"train.learning_rate": rate, "model.fusion.mode": "concat" if number % 2 else "mean"},
        status=status,
        step={"finished": 20, "stopped": 10}.get(status, 0),
        scores={} if score is None else {SCORE: score},
        fault="" if score is not None else "it broke",
    )


@pytest.fixture
def trials() -> list[Trial]:
    return [
        trial_of(0, 50.0),
        trial_of(1, None, status="died"),
        trial_of(2, 70.0, status="stopped"),
        trial_of(3, 60.0),
        trial_of(4, None, status="diverged"),
    ]


@pytest.mark.parametrize("where", ["disk", "memory"])
def test_the_journal_gives_back_what_it_was_told_last(where: str, trials: list[Trial], tmp_path: Path) -> None:
    journal = Journal(f"{tmp_path}/a/trials" if where == "disk" else f"memory://{tmp_path}/a/trials")
    assert (journal.trials(), journal.run()) == ([], None)

    journal.claim_run("r1")
    journal.keep(trial_of(3, 1.0, status="running"))
    for trial in reversed(trials):
        journal.keep(trial)

    assert (journal.trials(), journal.run()) == (trials, "r1")
    Journal(journal.url.removesuffix("/trials")).forget()
    assert (journal.trials(), journal.run()) == ([], None)


def test_a_write_that_was_cut_off_is_not_read(trials: list[Trial], tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    journal.keep(trials[0])
    (tmp_path / ".trial-00001").write_text('{"numb')

    assert journal.trials() == trials[:1]


def test_a_trial_is_finished_at_its_last_step_and_stopped_before() -> None:
    running = trial_of(0, 50.0, status="running")

    assert ended(running, steps=20).status == "stopped"
    assert ended(running, steps=0).status == "finished"
    assert ended(trial_of(0, None, status="running"), steps=0).status == "diverged"


def test_whole_trials_come_first_by_score_and_those_without_one_last(trials: list[Trial]) -> None:
    table = trial_table(trials, list(CONFIG.space))

    assert list(table["trial"]) == [3, 0, 2, 1, 4]
    assert list(table.columns) == ["trial", "status", "step", SCORE, *CONFIG.space, "fault"]
    assert list(table["fault"]) == ["", "", "", "it broke", "it broke"]


def test_trials_that_died_are_counted(trials: list[Trial]) -> None:
    assert counts(trials) == {"finished": 2, "stopped": 1, "diverged": 1, "died": 1}


def test_a_search_without_trials_has_an_empty_table() -> None:
    assert list(trial_table([], []).columns) == ["trial", "status", "step", SCORE, "fault"]


def test_the_key_that_decides_is_the_important_one() -> None:
    rates = [1e-4 * 100 ** (number / 39) for number in range(40)]
    trials = [trial_of(number, 100 * rate, rate=rate) for number, rate in enumerate(rates)]

    found = importances(trials, CONFIG).set_index("key")["importance"]

    assert found["train.learning_rate"] > 0.8
    assert found.sum() == pytest.approx(1.0)


def test_nothing_is_said_of_importance_where_nothing_differs(trials: list[Trial]) -> None:
    assert importances(trials[:1], CONFIG).empty
    assert importances([trial_of(0, 5.0), trial_of(1, 5.0)], CONFIG).empty


def test_the_picture_has_a_line_for_each_trial_with_a_score_and_tells_of_the_others(
    trials: list[Trial], tmp_path: Path
) -> None:
    table = trial_table(trials, list(CONFIG.space))

    draw_parallel(table, CONFIG, tmp_path / "a.svg")
    draw_parallel(table, CONFIG, tmp_path / "b.svg")

    text = (tmp_path / "a.svg").read_text()
    assert "5 trials: 1 stopped early (dashed), 2 without a score (not drawn)" in text
    assert len(re.findall(r"stroke-dasharray", text)) == 1
    assert "train.learning_rate" in text
    assert text == (tmp_path / "b.svg").read_text()


def test_a_search_that_did_not_happen_has_a_picture_that_says_so(tmp_path: Path) -> None:
    draw_parallel(trial_table([], []), CONFIG, tmp_path / "a.svg")

    assert "no search" in (tmp_path / "a.svg").read_text()
