"""Faults injected into real runs on a real Ray: each ends with the very weights of the run that met none."""

import os
import random
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from pipeline.cluster import connected
from pipeline.refusal import Refusal
from pipeline.training.desk import opened_desk
from pipeline.training.sole import sole
from tests.world.runs import STEPS, Driver, drive, final_weights, settle, workers
from tests.world.small_disk import BALLAST, fill, mounted

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def place(drawn_world: Path) -> Iterator[Path]:
    """A folder to run in, with a Ray that all runs share; its name is short, for a socket's path ends at 107 bytes."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="f") as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name).resolve()
        settle(folder, drawn_world)
        os.chdir(folder)
        try:
            with connected() as address:
                patch.setenv("RAY_ADDRESS", address)
                yield folder
        finally:
            os.chdir(before)


@pytest.fixture(scope="module")
def whole(place: Path) -> dict[str, torch.Tensor]:
    """The weights of a run on two workers that met no fault."""
    return unbroken(place, "whole", ranks=2)


@pytest.fixture(scope="module")
def whole_of_three(place: Path) -> dict[str, torch.Tensor]:
    """The weights of a run on three workers that met no fault."""
    return unbroken(place, "whole_of_three", ranks=3)


def unbroken(place: Path, name: str, *, ranks: int) -> dict[str, torch.Tensor]:
    driver = drive(place, name, cluster={"workers": ranks})
    assert driver.end() == 0, driver.output
    return final_weights(driver)


def random_step() -> int:
    """A step with a checkpoint before it and work behind it."""
    return random.SystemRandom().randrange(5, STEPS // 2)


def assert_identical(driver: Driver, wanted: dict[str, torch.Tensor]) -> None:
    found = final_weights(driver)
    assert found.keys() == wanted.keys()
    assert [name for name, value in wanted.items() if not torch.equal(found[name], value)] == []


@pytest.mark.parametrize(("ranks", "wanted"), [(2, "whole"), (3, "whole_of_three")])
def test_a_run_whose_worker_is_killed_ends_by_itself_with_the_same_weights(
    place: Path, ranks: int, wanted: str, request: pytest.FixtureRequest
) -> None:
    weights: dict[str, torch.Tensor] = request.getfixturevalue(wanted)
    driver = drive(place, f"worker_of_{ranks}", cluster={"workers": ranks})
    driver.until("step 1/")
    victim = random.SystemRandom().choice(workers(ranks))
    driver.until(f"step {random_step()}/")

    victim.kill()

    assert driver.end() == 0, driver.output
    assert f", on {ranks} ranks" in driver.output
    assert driver.steps_told() == list(range(1, STEPS + 1))
    assert_identical(driver, weights)


def test_a_run_whose_worker_does_not_answer_ends_by_itself_with_the_same_weights(
    place: Path, whole: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S", "10")  # a minute by default
    driver = drive(place, "silent")
    driver.until("step 6/")

    workers(2)[1].suspend()

    assert driver.end() == 0, driver.output
    assert driver.steps_told() == list(range(1, STEPS + 1))
    assert_identical(driver, whole)


def test_a_run_whose_driver_is_killed_goes_on_with_the_same_weights_even_if_its_newest_checkpoint_is_cut_short(
    place: Path, whole: dict[str, torch.Tensor]
) -> None:
    killed = drive(place, "driver")
    killed.until(f"step {STEPS // 2 + 2}/")
    killed.kill()
    with sole(killed.checkpoints().url):
        second = drive(place, "driver")
        assert second.end() == 1
        assert "is being trained by another driver; wait for its end" in second.lines[-1]
    newest = max(killed.storage.glob("dual-*/step_*/run.pt"))
    os.truncate(newest, newest.stat().st_size // 2)

    driver = drive(place, "driver")

    assert driver.end() == 0, driver.output
    step = int(newest.parent.name.removeprefix("step_"))
    assert f"the checkpoint of step {step} is damaged (run.pt" in driver.output
    assert f"going on from step {step - 4}, on 2 ranks" in driver.output
    assert driver.steps_told() == list(range(step - 3, STEPS + 1))
    assert_identical(driver, whole)


def test_a_run_whose_disk_is_full_says_so_and_the_same_command_goes_on_with_the_same_weights_once_there_is_room(
    place: Path, whole: dict[str, torch.Tensor]
) -> None:
    with mounted(place / "storage" / "full") as disk:
        full = drive(place, "full")
        full.until("step 6/")
        fill(disk)

        assert full.end() == 1, full.output
        kept = full.checkpoints().all()[-1].step
        assert full.steps_told() == list(range(1, STEPS + 1))
        assert f"the checkpoint of step {STEPS // 2} could not be written" in full.output
        assert "No space left" in full.lines[-1]
        assert full.lines[-1].endswith(f"and the same command goes on from step {kept}\n")

        (disk / BALLAST).unlink()
        driver = drive(place, "full")

        assert driver.end() == 0, driver.output
        assert driver.steps_told() == list(range(kept + 1, STEPS + 1))
        assert_identical(driver, whole)


def test_sigterm_keeps_the_step_and_ends_and_the_same_command_goes_on_from_there(
    place: Path, whole: dict[str, torch.Tensor]
) -> None:
    stopped = drive(place, "sigterm")
    stopped.until(f"step {random_step()}/")

    stopped.process.send_signal(signal.SIGTERM)

    assert stopped.end() == 1, stopped.output
    kept = stopped.checkpoints().all()[-1].step
    assert stopped.lines[-1] == f"stopped after step {kept}, which is kept; the same command goes on from there\n"

    driver = drive(place, "sigterm")

    assert driver.end() == 0, driver.output
    assert driver.steps_told() == list(range(kept + 1, STEPS + 1))
    assert_identical(driver, whole)


@pytest.mark.usefixtures("place")
def test_a_run_has_one_driver_on_a_cluster_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with opened_desk("a"), opened_desk("b"):
        monkeypatch.setattr("pipeline.training.desk.LEAVING", 0.0)
        with pytest.raises(Refusal, match=r"^a is being trained by another driver"), opened_desk("a"):
            raise AssertionError("two desks of one name")
        monkeypatch.undo()

    with opened_desk("a"):
        pass
