"""Hosts of a cluster of three go away while they train, and come back: training goes on with the same batches."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.training.checkpoints import read_history
from pipeline.training.job import from_params
from pipeline.training.loop import fit
from pipeline.training.run import Run, start
from pipeline.training.worker import ShardData, build_network
from tests.world.hosts import Cluster, cluster_of
from tests.world.runs import Driver, drive, settle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ALL_OR_SOME = {"workers": 3, "min_workers": 1, "cpus_per_worker": 1}
IMPATIENT = {
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "5",
}
"""Ray gives up a host that is silent for 20 seconds; by default it waits for more than a minute."""
COMPARED = 20
"""Steps of a run that met a fault and of one that met none."""


@pytest.fixture
def cluster(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Three hosts, whose Ray has the settings that a test asks for; drivers are let in."""
    with cluster_of(3, settings=getattr(request, "param", {})) as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture(scope="module")
def place(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to run in, which all hosts share."""
    folder = tmp_path_factory.mktemp("hosts")
    settle(folder, drawn_world)
    return folder


@pytest.mark.parametrize("cluster", [IMPATIENT], indirect=True, ids=["impatient"])
def test_training_goes_on_without_a_host_that_vanishes_and_uses_it_again_when_it_returns(
    cluster: Cluster, place: Path
) -> None:
    head, other = cluster.hosts[:2]
    driver = drive(place, "vanished", prefix=head.command(), cluster=ALL_OR_SOME, train={"steps": 4000})
    driver.until("step 6/")

    other.vanish()
    assert driver.until("going on from step ").endswith(", on 2 ranks\n")
    driver.until("step ")
    other.plug()
    cluster.start(other)
    assert driver.until("going on from step ").endswith(", on 3 ranks\n")

    driver.until("step ")
    driver.process.send_signal(signal.SIGTERM)
    assert driver.end() == 1, driver.output
    assert gradient_norms(driver)[:COMPARED] == pytest.approx(norms_on_one_host(place), rel=1e-5)


def gradient_norms(driver: Driver) -> list[float]:
    """Those of all steps of a run, each of the whole batch."""
    checkpoints = driver.checkpoints()
    with checkpoints.fetched(checkpoints.all()[-1].step) as folder:
        rows = [row for row in read_history(folder) if "loss" in row]
    assert [int(row["step"]) for row in rows] == list(range(1, len(rows) + 1))
    return [row["gradient_norm"] for row in rows]


def norms_on_one_host(folder: Path) -> list[float]:
    """Those of the first steps of the run that `folder` is set for, in this process."""
    job = from_params(folder / "params.yaml", kind="dual", section="train", shards=folder / "shards")
    run = start(build_network(job, job.recipe), job.recipe)
    with pytest.raises(EnoughError):
        fit(run, ShardData(job, rank=0, world=1), Unheard(), rank=0, keeper=Unheard())
    return [row["gradient_norm"] for row in run.history if "loss" in row]


class EnoughError(Exception):
    """There are steps to compare."""


class Unheard:
    """Keeps and tells nothing, and ends training."""

    def progress(self, row: dict[str, float]) -> None:
        assert row["loss"] > 0

    def notice(self, text: str) -> None:
        raise AssertionError(text)

    def save(self, row: dict[str, float], *, run: Run) -> None:
        raise AssertionError(f"step {run.step}: {row}")

    def after_step(self, run: Run) -> None:
        if run.step == COMPARED:
            raise EnoughError
