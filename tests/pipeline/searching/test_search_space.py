"""What may be searched, and how a trial's values come into a job."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import ray.tune

from pipeline import params
from pipeline.refusal import Refusal
from pipeline.search.config import Choice, Range, TuneConfig, by_section, first_values
from pipeline.search.launch import search_name
from pipeline.search.space import domain, refuse_impossible
from pipeline.search.trial import run_trial
from pipeline.training.job import from_params
from pipeline.training.yardstick import SCORE
from tests.world.clone import ROOT


def config_of(space: dict[str, Any], **changes: Any) -> TuneConfig:
    values: dict[str, Any] = {
        "trials": 4,
        "seed": 0,
        "steps": 20,
        "report_every": 10,
        "grace_steps": 10,
        "cpus_per_trial": 1.0,
        "gpus_per_trial": 0.0,
        "space": space,
    }
    return TuneConfig(**(values | changes))


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    chosen = {"train": {"learning_rate": 1e-3}}
    made = from_params(ROOT / "params.yaml", kind="dual", section="train", shards="s3://none", chosen=chosen)
    return made.to_dict()


def test_a_space_is_declared_in_params_by_dotted_names() -> None:
    values = {
        "trials": 4, "seed": 0, "steps": 20, "report_every": 10, "grace_steps": 10,
        "cpus_per_trial": 1, "gpus_per_trial": 0,
        "space": {
            "train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
            "loss.visual": {"low": 0, "high": 1, "log": False},
            "model.temporal.blocks": {"values": [1, 2, 4]},
            "model.fusion.mode": {"values": ["concat", "mean"]},
        },
    }  # fmt: skip

    space = params.parse(values, TuneConfig, name="tune").space

    assert space["train.learning_rate"] == Range(low=1e-4, high=1e-2, log=True)
    assert space["model.temporal.blocks"] == Choice(values=(1, 2, 4))
    assert space["model.fusion.mode"] == Choice(values=("concat", "mean"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("model.clip.offsets", "the shards hold the frames of one window"),
        ("model.input_size", "the shards hold crops for it"),
        ("model.backbone.name", "pretrain/model has one"),
        ("model.head.width", "pretrain/model has one"),
        ("train.steps", "a trial has tune.steps"),
        ("train.seed", "a good seed is luck"),
        ("reader.shuffle", "wanted a key of loss, model or train"),
        ("train", "wanted a key of loss, model or train"),
    ],
)
def test_what_no_trial_can_change_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        config_of({name: Choice(values=(1, 2))})


def test_a_fixed_key_is_compared_by_experiments_instead() -> None:
    with pytest.raises(ValueError, match=r"`dvc exp run -S model\.clip\.offsets=\.\.\.`"):
        config_of({"model.clip.offsets": Choice(values=(1, 2))})


@pytest.mark.parametrize("change", [{"gpus_per_trial": 2.0}, {"gpus_per_trial": -0.5}, {"cpus_per_trial": 0.0}])
def test_what_no_cluster_can_give_a_trial_is_refused(change: dict[str, float]) -> None:
    ((name, amount),) = change.items()
    with pytest.raises(ValueError, match=f"{name}: got {amount:g}, wanted"):
        config_of({"train.batch_size": Choice(values=(8, 16))}, **change)


def test_a_list_of_one_value_is_no_choice() -> None:
    with pytest.raises(ValueError, match="wanted at least two"):
        Choice(values=(1,))


def test_the_first_values_stand_by_section() -> None:
    space = {
        "train.learning_rate": Range(low=1e-4, high=1e-2, log=True),
        "model.fusion.mode": Choice(values=("a", "b")),
    }

    assert first_values(config_of(space)) == {"train": {"learning_rate": 1e-4}, "model": {"fusion.mode": "a"}}
    assert by_section({"model.a.b": 1, "model.c": 2}) == {"model": {"a.b": 1, "c": 2}}


def test_a_trials_values_are_laid_over_the_jobs_at_any_depth(job: dict[str, Any]) -> None:
    changed = params.laid({"model.temporal.blocks": 3, "train.learning_rate": 0.5}, job)

    assert changed["model"]["temporal"] == job["model"]["temporal"] | {"blocks": 3}
    assert changed["train"]["learning_rate"] == 0.5
    assert changed["loss"] == job["loss"]
    assert job["model"]["temporal"]["blocks"] == 1


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"model.temporal.block": Choice(values=(1, 2))}, "model.temporal.block is not a known key"),
        ({"model.temporal.blocks": Choice(values=(1, 0))}, "0 is impossible"),
        ({"model.fusion.mode": Choice(values=("concat", "sum"))}, "'sum' is impossible"),
        ({"train.learning_rate": Range(low=0.1, high=2.0, log=False)}, "2.0 is impossible"),
        ({"model.encoder.heads": Choice(values=(4, 5))}, "5 is impossible"),
        (
            {"model.temporal.dense_readout": Choice(values=(True, False))},
            "False is impossible: params.yaml: loss.dense",
        ),
    ],
)
def test_an_impossible_value_is_refused_before_the_first_trial(
    job: dict[str, Any], space: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refusal, match=said):
        refuse_impossible(config_of(space), trial=job, whole=job)


def test_a_value_that_suits_a_trial_and_not_the_run_of_its_winner_is_refused(job: dict[str, Any]) -> None:
    alone = job | {"cluster": job["cluster"] | {"workers": 1}}
    space = config_of({"train.batch_size": Choice(values=(16, 17))})

    refuse_impossible(space, trial=alone, whole=alone)
    with pytest.raises(Refusal, match=r"17 is impossible: batch_size: .* multiple of cluster\.workers = 2"):
        refuse_impossible(space, trial=alone, whole=job)


def test_values_that_do_not_go_together_are_a_fault_of_their_trial(
    job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(ray.tune, "report", told.append)

    run_trial({"loss.dense": 0.5, "model.temporal.dense_readout": False}, job=job)

    (row,) = told
    assert (row["step"], row[SCORE]) == (0, 0.0)
    assert "loss.dense: got 0.5" in row["fault"]


def test_a_possible_space_is_let_through(job: dict[str, Any]) -> None:
    space = {"model.temporal.blocks": Choice(values=(1, 2)), "loss.visual": Range(low=0.0, high=1.0, log=False)}

    refuse_impossible(config_of(space), trial=job, whole=job)


def test_rays_domains_have_the_same_bounds() -> None:
    rate = domain(Range(low=1e-4, high=1e-2, log=True))

    assert (rate.lower, rate.upper) == (1e-4, 1e-2)
    assert isinstance(rate.get_sampler(), ray.tune.search.sample.LogUniform)
    assert domain(Choice(values=("concat", "mean"))).categories == ["concat", "mean"]


def test_another_space_or_another_run_is_another_search_and_so_is_an_edited_line_of_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = config_of({"loss.visual": Range(low=0.0, high=1.0, log=False)})
    other = config_of({"loss.visual": Range(low=0.0, high=2.0, log=False)})

    assert search_name(one, "dual-1") == search_name(one, "dual-1")
    assert len({search_name(one, "dual-1"), search_name(other, "dual-1"), search_name(one, "dual-2")}) == 3

    shutil.copytree(ROOT / "pipeline" / "search", tmp_path / "pipeline" / "search")
    monkeypatch.chdir(tmp_path)
    before = search_name(one, "dual-1")
    module = Path("pipeline", "search", "trial.py")
    module.write_text(f"{module.read_text()}# edited\n")
    assert search_name(one, "dual-1") != before
