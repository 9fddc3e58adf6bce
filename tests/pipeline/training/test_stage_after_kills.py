"""Stage train as people run it: its MLflow server is killed in mid-run, and so are `dvc repro` and the stage itself."""

import csv
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from mlflow.tracking import MlflowClient

from pipeline import params
from pipeline.artifacts import read_json, write_json
from tests.world.clone import ROOT, clean_environment, dvc, executed, started
from tests.world.mlflow_server import Server, serving
from tests.world.postgresql import running as running_postgresql
from tests.world.workplace import make_workplace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
STEPS, EVERY = 24, 4
"""Steps of a run, and those between two checkpoints."""
STAGE = ("python", "-m", "stages.train", "--shards", "data/shards", "--start", "pretrain/model")
UNDISTURBED = (*STAGE, "--best", "tune/best.json", "--out", "undisturbed")
REPRO = ("dvc", "repro", "--single-item", "train")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return clean_environment(site=tmp_path_factory.mktemp("site")) | {"OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, drawn_world: Path, environment: dict[str, str]) -> Path:
    """A folder as the stages before train leave it."""
    folder = make_workplace(tmp_path_factory.mktemp("stage") / "w", drawn_world)
    write_json(folder / "tune" / "best.json", {"chosen": {"train": {"learning_rate": 1e-3}}})
    steps = {"steps": STEPS, "log_every": 1, "evaluate_every": STEPS, "checkpoint_every": EVERY}
    params.lay(folder / "params.yaml", {"train": steps})
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copyfile(ROOT / name, folder / name)
    dvc("init", "--no-scm", "--quiet", folder=folder, environment=environment)
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """MLflow on PostgreSQL."""
    with running_postgresql() as database, serving(tmp_path, database) as made:
        yield made


def until(process: "subprocess.Popen[str]", begin: str) -> list[str]:
    """Lines up to the one that begins so."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(begin):
            return lines
    raise AssertionError("".join(lines))


def steps_told(output: str) -> list[int]:
    """The steps of the lines of progress, in order."""
    told = (line.split("/")[0] for line in output.splitlines() if line.startswith("step ") and " loss " in line)
    return [int(text.removeprefix("step ")) for text in told]


def noted(history: Path) -> dict[str, list[tuple[int, float]]]:
    """Steps and values by name, as history.csv has them."""
    found: dict[str, list[tuple[int, float]]] = {}
    with history.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            step = int(float(row.pop("step")))
            for name, value in row.items():
                if value:
                    found.setdefault(name, []).append((step, float(value)))
    return found


def test_a_run_whose_server_is_killed_in_the_middle_has_every_number_of_every_step_there_once(
    place: Path, environment: dict[str, str], server: Server
) -> None:
    process = started(UNDISTURBED, place, environment=environment | {"MLFLOW_TRACKING_URI": server.uri})
    lines = until(process, "step 4/")
    server.kill()
    lines += until(process, "step 14/")
    server.start()
    rest, _ = process.communicate(timeout=400)

    output = "".join(lines) + rest
    assert process.returncode == 0, output
    assert steps_told(output) == list(range(1, STEPS + 1))
    client, run = MlflowClient(server.uri), read_json(place / "undisturbed/run.json")["run_id"]
    wanted = noted(place / "undisturbed/history.csv")
    assert [step for step, _ in wanted["loss"]] == list(range(1, STEPS + 1))
    for name, pairs in wanted.items():
        kept = client.get_metric_history(run, name)
        assert [entry.step for entry in kept] == [step for step, _ in pairs], name
        assert [entry.value for entry in kept] == pytest.approx([value for _, value in pairs], rel=0, nan_ok=True)
    assert client.get_run(run).info.status == "FINISHED"


def kill(repro: "subprocess.Popen[str]") -> None:
    """SIGKILL to DVC, to the stage it runs, and to the stage's Ray, whose workers would write on for a while."""
    below = psutil.Process(repro.pid).children(recursive=True)
    assert [process for process in below if "stages.train" in " ".join(process.cmdline())]
    repro.send_signal(signal.SIGKILL)
    for process in below:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def cut_short(run: Path) -> int:
    """Leave half of the newest checkpoint; gives its step."""
    newest = max(run.glob("step_*/run.pt"))
    os.truncate(newest, newest.stat().st_size // 2)
    return int(newest.parent.name.removeprefix("step_"))


def learned(history: Path) -> dict[str, list[tuple[int, float]]]:
    """What does not depend on how fast the machine is."""
    return {name: pairs for name, pairs in noted(history).items() if name.startswith(("loss", "gradient", "select"))}


def test_a_repro_that_is_killed_goes_on_with_the_same_weights_even_if_its_newest_checkpoint_is_cut_short(
    place: Path, environment: dict[str, str]
) -> None:
    if not (place / "undisturbed").exists():  # PostgreSQL is not everywhere
        status, output = executed(UNDISTURBED, place, environment=environment)
        assert status == 0, output
    killed = started(REPRO, place, environment=environment)
    lines = until(killed, "step 15/")
    kill(killed)
    rest, _ = killed.communicate(timeout=60)
    last = steps_told("".join(lines) + rest)[-1]
    (run,) = (place / ".ray/runs").glob("dual-*")
    newest = cut_short(run)

    output = dvc(*REPRO[1:], folder=place, environment=environment)

    assert last - newest < 2 * EVERY  # a checkpoint may be under way, but never two
    assert f"the checkpoint of step {newest} is damaged (run.pt" in output
    assert f"going on from step {newest - EVERY}, on 2 ranks" in output
    assert steps_told(output) == list(range(newest - EVERY + 1, STEPS + 1))
    assert learned(place / "train/history.csv") == learned(place / "undisturbed/history.csv")
    for file in ("network.safetensors", "raw.safetensors"):
        assert (place / "train/model" / file).read_bytes() == (place / "undisturbed/model" / file).read_bytes()
