"""The loop learns, can be interrupted without a trace, and stops at numbers that are none."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn

from dsn import checkpoint
from dsn.network import build
from pipeline.shards.batch import ClipBatch
from pipeline.training import worker
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.keeper import Keeper
from pipeline.training.loop import fit
from pipeline.training.recipe import Recipe, Row
from pipeline.training.run import Run, start


class Kept:
    """Remembers what it is told, and keeps each evaluated state."""

    def __init__(self, folder: Path) -> None:
        self.rows: list[Row] = []
        self.notices: list[str] = []
        self.checkpoints = Checkpoints(str(folder))
        self.keeper = Keeper(self.checkpoints, every=1000, tell=self.notice)

    def progress(self, row: Row) -> None:
        self.rows.append(row)

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def save(self, row: Row, *, run: Run) -> None:
        self.rows.append(row)
        self.keeper.keep(run, row)
        self.keeper.finish()


def fresh(recipe: Recipe) -> Run:
    torch.manual_seed(0)
    return start(build(recipe.model, recipe.skeleton), recipe)


def untimed(row: Row) -> Row:
    """What does not depend on how fast the machine is."""
    return {name: value for name, value in row.items() if name != "samples_per_second" and not name.startswith("time/")}


def weights(network: nn.Module) -> dict[str, torch.Tensor]:
    return dict(network.state_dict())


def test_the_average_begins_with_the_first_weights_that_were_learned(
    recipe: Recipe, noise: Any, tmp_path: Path
) -> None:
    train = dataclasses.replace(recipe.train, steps=1, warmup_steps=0, log_every=1, evaluate_every=1)
    run = fresh(dataclasses.replace(recipe, train=train))

    fit(run, noise, Kept(tmp_path), rank=0)

    for name, value in weights(run.network).items():
        assert torch.equal(value, weights(run.average.module)[name]), name


def test_a_resumed_run_ends_bit_identical_to_one_that_was_not_interrupted(
    recipe: Recipe, noise: Any, tmp_path: Path
) -> None:
    whole = fresh(recipe)
    kept = Kept(tmp_path / "whole")
    fit(whole, noise, kept, rank=0)

    torch.manual_seed(99)
    resumed = start(build(recipe.model, recipe.skeleton), recipe)
    with kept.checkpoints.fetched(4) as folder:
        resumed.load(folder)
    assert resumed.step == 4
    fit(resumed, noise, Kept(tmp_path / "resumed"), rank=0)

    for name, value in weights(whole.network).items():
        assert torch.equal(value, weights(resumed.network)[name]), name
    for name, value in weights(whole.average.module).items():
        assert torch.equal(value, weights(resumed.average.module)[name]), name
    learned = [[(row["step"], row.get("loss")) for row in run.history] for run in (whole, resumed)]
    assert learned[0] == learned[1]


def test_progress_comes_at_every_interval_and_at_the_end(recipe: Recipe, noise: Any, tmp_path: Path) -> None:
    kept = Kept(tmp_path)

    fit(fresh(recipe), noise, kept, rank=0)

    assert [row["step"] for row in kept.rows if "loss" in row] == [2, 4, 6, 8]
    assert [row["step"] for row in kept.rows if "select/pck_final" in row] == [4, 8]
    assert [one.step for one in kept.checkpoints.all()] == [4, 8]


def test_a_checkpoint_holds_the_averaged_network_ready_to_load(recipe: Recipe, noise: Any, tmp_path: Path) -> None:
    run, kept = fresh(recipe), Kept(tmp_path)

    fit(run, noise, kept, rank=0)
    with kept.checkpoints.fetched(8) as folder:
        loaded = checkpoint.load(folder / "model")

    assert loaded.config == recipe.model
    for name, value in weights(run.average.module).items():
        assert torch.equal(value, weights(loaded.network)[name]), name


def test_raw_weights_are_kept_apart_from_the_averaged_ones(recipe: Recipe, noise: Any, tmp_path: Path) -> None:
    run, kept = fresh(recipe), Kept(tmp_path)

    fit(run, noise, kept, rank=0)
    with kept.checkpoints.fetched(8) as folder:
        raw, averaged = (weights(checkpoint.load(folder / name).network) for name in ("raw", "model"))

    assert all(torch.equal(value, raw[name]) for name, value in weights(run.network).items())
    assert any(not torch.equal(value, averaged[name]) for name, value in raw.items())


def test_lines_of_progress_tell_the_gradient_shares_and_nothing_else_changes(
    recipe: Recipe, noise: Any, tmp_path: Path
) -> None:
    quiet, telling = Kept(tmp_path / "quiet"), Kept(tmp_path / "telling")
    fit(fresh(recipe), noise, quiet, rank=0)

    train = dataclasses.replace(recipe.train, gradient_shares=True)
    fit(fresh(dataclasses.replace(recipe, train=train)), noise, telling, rank=0)

    rows = [row for row in telling.rows if "loss" in row]
    shares = [{name: value for name, value in row.items() if name.startswith("gradient_share/")} for row in rows]
    assert {len(found) for found in shares} == {4}
    assert [sum(found.values()) for found in shares] == pytest.approx([1.0] * 4, abs=1e-6)
    assert 0 < shares[-1]["gradient_share/reconstruction"] < 0.05  # weighted by 1e-4
    assert [row["loss"] for row in rows] == [row["loss"] for row in quiet.rows if "loss" in row]
    assert "gradient_share/final" not in quiet.rows[0]


def test_shares_are_told_of_networks_whose_ranks_work_together_from_the_first_step_on(
    recipe: Recipe, noise: Any, tmp_path: Path
) -> None:
    train = dataclasses.replace(recipe.train, gradient_shares=True, log_every=1)
    alone, together = Kept(tmp_path / "alone"), Kept(tmp_path / "together")
    recipe = dataclasses.replace(recipe, train=train)
    fit(fresh(recipe), noise, alone, rank=0)

    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/ranks", rank=0, world_size=1)
    try:
        torch.manual_seed(0)
        run = start(build(recipe.model, recipe.skeleton), recipe, wrap=worker.together)
        fit(run, noise, together, rank=0)
    finally:
        dist.destroy_process_group()

    for one, other in zip(alone.rows, together.rows, strict=True):
        assert untimed(other) == pytest.approx(untimed(one), rel=1e-4, nan_ok=True)


def test_the_loss_falls_on_data_that_repeats(recipe: Recipe, noise: Any, tmp_path: Path) -> None:
    train = dataclasses.replace(recipe.train, steps=60, log_every=10, evaluate_every=60, learning_rate=3e-3)
    kept = Kept(tmp_path)
    noise.training = lambda _epoch, _first: iter([(noise.batch(0),)] * 4)

    fit(fresh(dataclasses.replace(recipe, train=train)), noise, kept, rank=0)

    losses = [row["loss"] for row in kept.rows if "loss" in row]
    assert losses[-1] < 0.5 * losses[0]


def test_a_loss_that_is_not_finite_stops_the_run_and_names_step_and_samples(
    recipe: Recipe, noise: Any, tmp_path: Path
) -> None:
    run = fresh(recipe)
    with torch.no_grad():
        next(run.network.parameters()).fill_(float("nan"))

    with pytest.raises(FloatingPointError, match=r"step 0 is not finite on rank 0 .* clip-000005-000, clip-000005-001"):
        fit(run, noise, Kept(tmp_path), rank=0)


def test_a_frozen_backbone_does_not_move(recipe: Recipe, noise: Any, tmp_path: Path) -> None:
    frozen = dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, backbone_rate=0.0))
    run = fresh(frozen)
    before = {name: value.clone() for name, value in weights(run.network).items()}

    fit(run, noise, Kept(tmp_path), rank=0)

    moved = {name for name, value in weights(run.network).items() if not torch.equal(value, before[name])}
    assert moved
    assert not [name for name in moved if name.startswith("backbone.")]


def test_every_record_that_is_quarantined_is_counted_and_told_once(recipe: Recipe, noise: Any, tmp_path: Path) -> None:
    kept = Kept(tmp_path)

    def batches(epoch: int, first_step: int) -> Iterator[tuple[ClipBatch, ...]]:
        for step in range(first_step, 4):
            named = {1: ("a in 0.tar: cut",), 2: ("b in 1.tar: no image", "a in 0.tar: cut")}.get(step, ())
            yield (dataclasses.replace(noise.batch(epoch + step), quarantined=named),)

    noise.training = batches

    fit(fresh(recipe), noise, kept, rank=0)

    assert [row["quarantined"] for row in kept.rows if "loss" in row] == [1, 3, 4, 6]
    assert kept.notices == [
        "step 1: quarantined a in 0.tar: cut; another sample stands in",
        "step 2: quarantined b in 1.tar: no image; another sample stands in",
    ]
