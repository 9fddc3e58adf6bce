"""A disk that is full in the middle of a run costs the steps since the last checkpoint and nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from dsn.network import build
from pipeline.refusal import Refusal
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.keeper import Keeper
from pipeline.training.loop import fit
from pipeline.training.recipe import Recipe, Row
from pipeline.training.run import Run, start
from pipeline.training.worker import resume
from tests.world.small_disk import BALLAST, fill, mounted


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk") as folder:
        yield folder


class Kept:
    """Keeps the steps that are due, and fills the disk when step 3 is there."""

    def __init__(self, keeper: Keeper, disk: Path) -> None:
        self._keeper, self._disk = keeper, disk

    def after_step(self, run: Run) -> None:
        self._keeper.after_step(run)
        if run.step == 3:
            self._keeper.finish()
            fill(self._disk)

    def save(self, row: Row, *, run: Run) -> None:
        self._keeper.keep(run, row)

    def progress(self, row: Row) -> None:
        assert row["loss"] > 0

    def notice(self, text: str) -> None:
        raise AssertionError(text)


class Unkept(Kept):
    """Keeps nothing."""

    def __init__(self) -> None:
        pass

    def save(self, row: Row, *, run: Run) -> None:
        assert row["step"] == run.step


def fresh(recipe: Recipe, *, seed: int = 0) -> Run:
    torch.manual_seed(seed)
    return start(build(recipe.model, recipe.skeleton), recipe)


def test_training_outlives_a_full_disk_says_so_and_goes_on_from_the_last_checkpoint_with_the_same_weights(
    recipe: Recipe, noise: Any, disk: Path
) -> None:
    whole, full, told = fresh(recipe), fresh(recipe), list[str]()
    fit(whole, noise, Unkept(), rank=0)
    checkpoints = Checkpoints(str(disk / "run"))
    with Keeper(checkpoints, every=recipe.train.checkpoint_every, tell=told.append) as keeper:
        kept = Kept(keeper, disk)
        fit(full, noise, kept, rank=0, keeper=kept)
        with pytest.raises(Refusal, match=r"step 8 could not be written .*No space left.* goes on from step 3"):
            keeper.finish()

    assert [text.split(" could")[0] for text in told] == [f"the checkpoint of step {step}" for step in (4, 6, 8)]
    assert [one.step for one in checkpoints.all()] == [3]

    (disk / BALLAST).unlink()
    again = fresh(recipe, seed=99)
    resume(again, checkpoints, rank=0, world=1, tell=told.append)
    assert again.step == 3
    fit(again, noise, Unkept(), rank=0)

    found = again.state()["network"]
    assert [name for name, value in whole.state()["network"].items() if not torch.equal(value, found[name])] == []
