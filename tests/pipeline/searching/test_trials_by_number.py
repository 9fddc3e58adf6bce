"""Each trial of a search has a number of its own."""

from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest

from pipeline.refusal import Refusal
from pipeline.search.follow import TrialFollower
from pipeline.search.journal import Journal, Trial
from pipeline.search.launch import whole
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.runs import start_run

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


def trial(number: int, status: Literal["running", "finished"]) -> Trial:
    return Trial(number=number, proposed={"loss.final": 1}, status=status, step=0, scores={}, fault="")


def numbers(journal: Journal) -> list[int]:
    return [found.number for found in journal.trials()]


def test_of_trials_with_the_same_values_one_goes_on_with_what_was_cut_off_and_others_are_new(
    tmp_path: Path,
) -> None:
    tracker = start_run(
        TrackingConfig(uri=f"sqlite:///{tmp_path / 'mlflow.db'}", experiment="e", model="m"), "tune", tags={}
    )
    journal = Journal(str(tmp_path / "trials"))
    journal.keep(trial(0, "finished"))
    journal.keep(trial(1, "running"))
    follower = TrialFollower(tracker, journal, metric="select/pck_final", steps=4, known=journal.trials())

    for name in ("a", "b", "c"):
        follower.on_trial_start(0, [], SimpleNamespace(trial_id=name, config={"loss.final": 1}))

    assert numbers(journal) == [0, 1, 2, 3]


def test_a_search_with_trials_that_have_not_ended_has_no_winner() -> None:
    with pytest.raises(Refusal, match=r"tune: interrupted when 1 of 2 trials had ended"):
        whole([trial(0, "finished"), trial(1, "running")], count=2)
    with pytest.raises(Refusal, match=r"tune: interrupted when 1 of 3 trials had ended"):
        whole([trial(0, "finished")], count=3)
    assert len(whole([trial(0, "finished")], count=1)) == 1
