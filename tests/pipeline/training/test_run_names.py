"""A run's name decides what the same command goes on with: other data, settings or code are another run."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.artifacts import sha256, write_text
from pipeline.training.job import Job, from_params, run_name
from tests.world.runs import settle, small_params

Change = Callable[[Job], Job]


@pytest.fixture(scope="module")
def project(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards, params and the code that trains on them. Read it only."""
    folder = tmp_path_factory.mktemp("project")
    settle(folder, drawn_world)
    write_text(folder / "params.yaml", json.dumps(small_params()))
    return folder


@pytest.fixture
def job(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job in a copy of it."""
    monkeypatch.chdir(shutil.copytree(project, tmp_path / "project"))
    return from_params(Path("params.yaml"), kind="dual", section="train", shards=Path("shards"))


SAME: dict[str, Change] = {
    "another storage": lambda job: replace(job, cluster=replace(job.cluster, storage="s3://bucket/runs")),
    "fewer workers for a while": lambda job: replace(job, cluster=replace(job.cluster, min_workers=1)),
    "more reading processes": lambda job: replace(job, reader=replace(job.reader, workers=7)),
    "rarer checkpoints": lambda job: replace(job, train=replace(job.train, checkpoint_every=400)),
}
OTHER: dict[str, Change] = {
    "a seed": lambda job: replace(job, train=replace(job.train, seed=7)),
    "a rate": lambda job: replace(job, train=replace(job.train, learning_rate=1e-5)),
    "a batch": lambda job: replace(job, train=replace(job.train, batch_size=24)),
    "ranks": lambda job: replace(job, cluster=replace(job.cluster, workers=3)),
    "a network": lambda job: replace(job, model=replace(job.model, input_size=(128, 96))),
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_where_and_how_often_a_run_is_kept_and_read_is_no_part_of_its_name(job: Job, change: Change) -> None:
    assert run_name(change(job)) == run_name(job)


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER)
def test_another_setting_is_another_run(job: Job, change: Change) -> None:
    assert run_name(change(job)) != run_name(job)


def test_the_same_shards_at_another_place_are_the_same_run(job: Job) -> None:
    before = run_name(job)

    Path("shards").rename("moved")

    assert run_name(replace(job, shards=str(Path("moved").resolve()))) == before


@pytest.mark.parametrize("path", ["dsn/network.py", "pipeline/training/loop.py", "pipeline/shards/reader.py"])
def test_an_edited_line_of_the_code_that_trains_is_another_run(job: Job, path: str) -> None:
    before = run_name(job)

    Path(path).write_text(f"{Path(path).read_text()}# edited\n")

    assert run_name(job) != before


def test_weights_to_start_from_are_told_by_their_digest_and_are_another_run(job: Job) -> None:
    write_text(Path("start/network.safetensors"), "weights")
    started = replace(job, start="start")

    assert job.start_weights is None
    assert started.start_weights == sha256(Path("start/network.safetensors"))
    assert run_name(started) != run_name(job)


def test_other_records_are_another_run(job: Job) -> None:
    before = run_name(job)
    manifest = Path("shards", "train", "manifest.json")

    manifest.write_text(manifest.read_text().replace('"heads": ', '"heads": 1', 1))

    assert run_name(job) != before
