"""Hosts of a cluster go away while they train, and come back: training goes on with the same batches."""

import signal
import time
from collections.abc import Iterator, Mapping
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
def three(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Three hosts, whose Ray is impatient; drivers are let in."""
    yield from let_in(3, IMPATIENT, monkeypatch)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Two hosts with Ray's own patience; drivers are let in."""
    yield from let_in(2, {}, monkeypatch)


def let_in(count: int, settings: Mapping[str, str], patch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    with cluster_of(count, settings=settings) as made:
        for name, value in made.environment.items():
            patch.setenv(name, value)
        yield made


@pytest.fixture(scope="module")
def place(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to run in, which all hosts share."""
    folder = tmp_path_factory.mktemp("hosts")
    settle(folder, drawn_world)
    return folder


def test_training_outlives_a_head_that_cannot_be_reached_for_20_seconds(
    two: Cluster, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S", "25")  # a minute by default
    head = two.hosts[0]
    driver = drive(place, "head", prefix=head.command(), cluster={"workers": 2, "cpus_per_worker": 1})
    driver.until("step 6/")

    head.unplug()
    time.sleep(20)
    head.plug()

    assert driver.end() == 0, driver.output
    assert "damaged" not in driver.output
    assert gradient_norms(driver)[:COMPARED] == pytest.approx(norms_on_one_host(place), rel=1e-5)


def test_training_goes_on_without_a_host_that_vanishes_and_uses_it_again_when_it_returns(
    three: Cluster, place: Path
) -> None:
    head, other = three.hosts[:2]
    driver = drive(place, "vanished", prefix=head.command(), cluster=ALL_OR_SOME, train={"steps": 4000})
    driver.until("step 6/")

    other.vanish()
    assert driver.until("going on from step ").endswith(", on 2 ranks\n")
    driver.until("step ")
    other.plug()
    three.start(other)
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
