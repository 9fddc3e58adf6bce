"""A fresh database, met by several processes at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.server import connect

ROOT = Path(__file__).parents[3]

START = """
import sys
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.runs import start_run
start_run(TrackingConfig(uri=sys.argv[1], experiment="first", model="none"), "train", tags={}).finish()
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_six_processes_may_create_one_database_at_once(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"

    started = [subprocess.Popen([sys.executable, "-c", START, uri], cwd=ROOT) for _ in range(6)]

    assert [process.wait() for process in started] == [0] * 6
    client = connect(TrackingConfig(uri=uri, experiment="first", model="none"))
    [experiment] = client.search_experiments(filter_string="name = 'first'")
    assert len(client.search_runs([experiment.experiment_id], "attributes.status = 'FINISHED'")) == 6
