"""The whole of `make ablate` on two tiny presets, interrupted in the second one and run again."""

import os
import re
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from pipeline import params
from pipeline.artifacts import read_json, write_json
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.server import connect
from tests.world.clone import ROOT, clean_environment, executed, started
from tests.world.workplace import make_workplace

PRESETS = ("visual_only", "v3_2")
COMMAND = ("python", "-m", "pipeline", "cluster", "run", "dvc", "repro", "--keep-going", "ablate/dvc.yaml")
"""What `make ablate` runs."""
SECONDS = 600
CELL = re.compile(r"^Running stage '(?:.*:)?([\w@-]+)'", flags=re.MULTILINE)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short name: a socket's path ends at 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="a") as folder:
        yield Path(folder)


def ready(place: Path, drawn: Path, environment: dict[str, str]) -> Path:
    """A folder as the root's DAG leaves it, in which the ablation compares two presets on one seed."""
    folder = make_workplace(place / "w", drawn)
    shutil.copytree(drawn, folder / "data" / "drawn")
    write_json(folder / "pretrain" / "run.json", {"samples": 32, "tags": {}})
    for name in ("ablate", "presets"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("cells", "table"))
    shutil.copyfile(ROOT / ".dvcignore", folder / ".dvcignore")
    small = {"train": {"learning_rate": 1e-3}, "stress": {"max_samples": 20, "examples": 0}}
    write_json(folder / "ablate" / "params.yaml", {"ablate": {"presets": PRESETS, "seeds": [0], "params": small}})
    params.lay(folder / "params.yaml", {"cluster": {"workers": 1}})
    status, output = executed(["dvc", "init", "--no-scm", "--quiet"], folder, environment=environment)
    assert status == 0, output
    return folder


def interrupted_in_the_second_cell(folder: Path, environment: dict[str, str]) -> list[str]:
    """The stages that were begun before Ctrl-C, which comes with the second cell's first steps."""
    process = started(COMMAND, folder, environment=environment)
    assert process.stdout is not None
    begun: list[str] = []
    for line in process.stdout:
        begun += CELL.findall(line)
        if sum(name.startswith("ablate@") for name in begun) == 2 and line.startswith("step "):
            break
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode not in (None, 0), output
    return begun + CELL.findall(output)


def runs(folder: Path) -> list[Run]:
    """All MLflow runs of the folder."""
    config = params.load(folder / "params.yaml", "tracking", into=TrackingConfig)
    client = connect(config)
    experiment = client.get_experiment_by_name(config.experiment)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


@pytest.mark.slow
@pytest.mark.timeout(2 * SECONDS)
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_an_ablation_that_was_interrupted_repeats_no_finished_cell_and_ends_with_its_table(
    place: Path, drawn_world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = clean_environment(site=place / "site")
    folder = ready(place, drawn_world, environment)
    monkeypatch.chdir(folder)

    control, first, second, *rest = interrupted_in_the_second_cell(folder, environment)
    kept = folder / "ablate" / "cells" / first.removeprefix("ablate@")
    before = (kept / "run.json").read_bytes()
    status, output = executed(COMMAND, folder, environment=environment, seconds=SECONDS)

    assert (control, {first, second}, rest) == ("ablate_control@0", {f"ablate@{name}-0" for name in PRESETS}, [])
    assert status == 0, output
    assert CELL.findall(output) == [second, "ablate_table"]
    assert (kept / "run.json").read_bytes() == before
    table = pd.read_csv(folder / "ablate" / "table" / "table.csv").set_index("network")
    assert table.index.tolist() == ["single_frame", *PRESETS, "interpolation", "copy"]
    assert table.loc[list(PRESETS), "parameters"].notna().all()
    every = runs(folder)
    (parent,) = [run for run in every if MLFLOW_PARENT_RUN_ID not in run.data.tags]
    nested = [run for run in every if run.data.tags.get(MLFLOW_PARENT_RUN_ID) == parent.info.run_id]
    ended = Counter((run.info.run_name, run.info.status) for run in nested)
    cells = ["single_frame-0", *(f"{name}-0" for name in PRESETS)]
    assert parent.info.status == "FINISHED"
    assert {name: ended[name, "FINISHED"] for name in cells} == dict.fromkeys(cells, 1)
    assert len(nested) == 4
    assert read_json(kept / "run.json")["run_id"] in {run.info.run_id for run in nested}
