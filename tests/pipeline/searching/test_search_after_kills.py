"""A real search on Ray: its second trial is killed, then its driver, which is then interrupted, and then ends it."""

import json
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from pipeline import params
from pipeline.artifacts import read_json, write_text
from tests.world.clone import clean_environment, executed, started
from tests.world.workplace import make_workplace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
]
COMMAND = ("python", "-m", "stages.tune", "--shards", "data/shards", "--start", "pretrain/model", "--out", "tune")
TRIALS = 5


@dataclass(slots=True, kw_only=True)
class Searched:
    """A search that came to its end in three parts."""

    folder: Path
    first: str
    """What the driver printed before it was killed."""
    interrupted: str
    """What the next driver printed, which was interrupted while trial 2 ran."""
    status: int
    """How that one ended."""
    second: str
    """What the last driver printed."""

    def of_parent(self) -> list[Run]:
        """MLflow's runs that have no parent."""
        return [run for run in self._runs() if "mlflow.parentRunId" not in run.data.tags]

    def of_trials(self) -> dict[str, list[Run]]:
        """MLflow's nested runs by name, in order of time."""
        runs: dict[str, list[Run]] = {}
        for run in sorted(self._runs(), key=lambda run: run.info.start_time):
            if "mlflow.parentRunId" in run.data.tags:
                runs.setdefault(run.info.run_name, []).append(run)
        return runs

    def steps(self, run: Run) -> list[int]:
        """Steps at which a run has a score."""
        return [entry.step for entry in self._client().get_metric_history(run.info.run_id, "select/pck_final")]

    def _client(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.folder / 'mlflow.db'}")

    def _runs(self) -> list[Run]:
        client = self._client()
        return list(client.search_runs([found.experiment_id for found in client.search_experiments()]))


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, drawn_world: Path) -> Searched:
    """Trial 0 ends, trial 1 is killed, and the driver when trial 2 has begun; the next is interrupted at this point."""
    place = tmp_path_factory.mktemp("search")
    folder = make_workplace(place / "w", drawn_world)
    one_at_a_time(folder)
    environment = clean_environment(site=place / "site") | {"OMP_NUM_THREADS": "1"}
    process = started(COMMAND, folder, environment=environment)
    first = ended_by(process, signal.SIGKILL)
    process = started(COMMAND, folder, environment=environment)
    interrupted = ended_by(process, signal.SIGINT)
    assert not (folder / "tune").exists()
    status, second = executed(COMMAND, folder, environment=environment, seconds=400)
    assert status == 0, second
    return Searched(folder=folder, first=first, interrupted=interrupted, status=process.returncode, second=second)


def one_at_a_time(folder: Path) -> None:
    """A trial takes the whole machine, starts once, and is never stopped; one weight makes the loss infinite."""
    values = params.read(folder / "params.yaml")
    values["cluster"]["max_failures"] = 0
    values["tune"] |= {
        "trials": TRIALS,
        "seed": 1,
        "grace_steps": values["tune"]["steps"],
        "cpus_per_trial": max(2, len(os.sched_getaffinity(0))),
        "space": {
            "train.learning_rate": {"low": 5e-4, "high": 5e-3, "log": True},
            "loss.final": {"values": [1, 1e39]},
        },
    }
    write_text(folder / "params.yaml", json.dumps(values, indent=1))


def ended_by(process: "subprocess.Popen[str]", how: signal.Signals) -> str:
    """What a driver prints whose trial 1 is killed, and which gets a signal when trial 2 has begun."""
    lines = []
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            lines.append(line)
            if line.startswith("trial 1:"):
                kill_trial(process.pid)
            if line.startswith("trial 2:"):
                process.send_signal(how)
    return "".join(lines)


def kill_trial(driver: int) -> None:
    """SIGKILL to the process of the trial under way."""
    trials = [
        process
        for process in psutil.Process(driver).children(recursive=True)
        if "ImplicitFunc" in " ".join(process.cmdline())
    ]
    assert len(trials) == 1
    trials[0].kill()


def test_the_search_goes_on_where_it_was_killed(searched: Searched) -> None:
    assert "trial 2:" in searched.first
    assert "resuming the search" in searched.second
    assert f"2 of {TRIALS} trials have ended" in searched.second
    assert [f"trial {number}:" in searched.second for number in range(TRIALS)] == [False, False, True, True, True]


def test_ctrl_c_is_no_end_of_a_search(searched: Searched) -> None:
    assert searched.status == 1
    assert searched.interrupted.endswith(
        f"tune: interrupted when 2 of {TRIALS} trials had ended; the same command goes on with the rest\n"
    )
    assert f"2 of {TRIALS} trials have ended" in searched.interrupted


def test_every_trial_is_in_the_table_those_that_failed_with_the_reason(searched: Searched) -> None:
    table = pd.read_csv(searched.folder / "tune/trials.csv").set_index("trial").sort_index()

    assert list(table.index) == list(range(TRIALS))
    assert table.loc[1, "status"] == "died"
    assert "worker process has died" in str(table.loc[1, "fault"])
    infinite = table[(table["loss.final"] == 1e39) & (table["status"] != "died")]
    assert list(infinite["status"].unique()) == ["diverged"]
    assert infinite["fault"].str.contains("step 0 is not finite").all()
    assert read_json(searched.folder / "tune/best.json")["ended"] == {
        "finished": TRIALS - 1 - len(infinite),
        "stopped": 0,
        "diverged": len(infinite),
        "died": 1,
    }


def test_the_winner_is_a_trial_that_was_whole(searched: Searched) -> None:
    table = pd.read_csv(searched.folder / "tune/trials.csv")
    best = read_json(searched.folder / "tune/best.json")

    assert table.loc[0, "status"] == "finished"
    assert table.loc[0, "select/pck_final"] == table["select/pck_final"].max()
    assert best["trial"] == table.loc[0, "trial"]
    assert best["chosen"]["train"]["learning_rate"] == table.loc[0, "train.learning_rate"]


def test_one_run_holds_the_search_and_one_each_trial_but_the_one_that_was_cut_off(searched: Searched) -> None:
    trials = searched.of_trials()

    assert [run.info.status for run in searched.of_parent()] == ["FINISHED"]
    assert sorted(trials) == [f"trial {number}" for number in range(TRIALS)]
    assert [run.info.status for run in trials["trial 1"]] == ["FAILED"]
    assert [run.info.status for run in trials["trial 2"]][:-1] == ["KILLED", "KILLED"]
    assert {len(runs) for name, runs in trials.items() if name != "trial 2"} == {1}


def test_a_trials_run_has_its_values_and_each_score_once(searched: Searched) -> None:
    table = pd.read_csv(searched.folder / "tune/trials.csv").set_index("trial")
    for number in table.index[table["status"] == "finished"]:
        run = searched.of_trials()[f"trial {number}"][-1]

        assert float(run.data.params["train.learning_rate"]) == table.loc[number, "train.learning_rate"]
        assert searched.steps(run) == [2, 4]
        assert "loss" in run.data.metrics


def test_nothing_is_left_to_resume_and_the_terminal_shows_no_banner(searched: Searched) -> None:
    assert list((searched.folder / ".ray/runs").iterdir()) == []
    assert "Configuration for experiment" not in searched.first
    assert "study created" not in searched.second
