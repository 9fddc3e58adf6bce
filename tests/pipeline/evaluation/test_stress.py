import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from jaxtyping import UInt8

from dsn.checkpoint import Loaded
from dsn.network import build, build_single_frame, start_from
from dsn.skeleton import POSETRACK
from pipeline.evaluation.conditions import BLIND, METHODS, Grid, Networks, run_all, select, supporting_times
from pipeline.evaluation.evaluate import EvaluateConfig, evaluate
from pipeline.evaluation.predict import predict
from pipeline.evaluation.stress import StressConfig, can_be_evaluated, chosen_keys, stress
from pipeline.posetrack.index import read_index
from pipeline.refusal import Refusal
from pipeline.shards.reader import evaluation_batches

clips = importlib.import_module("tests.world.clips")

CONFIG = StressConfig(
    kinds=("black", "noise"), severities=(1, 4), seed=0, batch_size=16, max_samples=None, draws=10, examples=3
)


@pytest.fixture(scope="module")
def packed(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = clips.pack(drawn_world, tmp_path_factory.mktemp("packed"))
    return folder


@pytest.fixture(scope="module")
def loaded() -> tuple[Loaded, Loaded]:
    """A DSN that starts from a single-frame network, and that network."""
    torch.manual_seed(0)
    config = clips.model_config()
    single, dual = build_single_frame(config, POSETRACK), build(config, POSETRACK)
    start_from(dual, single)
    networks = (dual.eval(), single.eval())
    return tuple(Loaded(network=network, config=config, skeleton=POSETRACK) for network in networks)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def stressed(packed: Path, loaded: tuple[Loaded, Loaded], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stress")
    stress(CONFIG, *loaded, index=packed / "index", val=packed / "val", out=out)
    return out


@pytest.fixture(scope="module")
def evaluated(packed: Path, loaded: tuple[Loaded, Loaded], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluation")
    config = EvaluateConfig(batch_size=16, readouts=("final", "temporal"), flip_test=True)
    evaluate(config, loaded[0], index=packed / "index", train=packed / "train", val=packed / "val", out=out)
    return out


def read(path: Path) -> Any:
    return json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{path} holds {name}"))


def image(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    return np.asarray(cv2.imread(str(path)), dtype=np.uint8)


def test_every_method_is_scored_under_every_kind_and_severity(stressed: Path) -> None:
    curves = pd.read_csv(stressed / "curves.csv")

    assert list(curves.columns) == ["method", "kind", "severity", "metric", "ap", "retention"]
    found = set(curves[["method", "kind", "severity"]].itertuples(index=False, name=None))
    assert found == {(m, k, s) for m in METHODS for k in CONFIG.kinds for s in (0, *CONFIG.severities)}


def test_a_degraded_keyframe_changes_only_those_who_see_it(packed: Path, loaded: tuple[Loaded, Loaded]) -> None:
    networks = Networks(dual=loaded[0].network, single=loaded[1].network, model=loaded[0].config)  # type: ignore[arg-type]
    batches = list(evaluation_batches(packed / "val", input_size=(64, 48), batch_size=8, bbox="neighbour"))[:1]

    outcome = run_all(networks, batches, grid=Grid(kinds=("black", "noise"), severities=(5,), seed=0))

    assert {method: set(by_name) for method, by_name in outcome.poses.items()} == {
        method: {"clean"} if method in BLIND else {"clean", "black-5", "noise-5"} for method in METHODS
    }
    for method in ("final", "single_frame"):
        scores = {name: outcome.of(method, name).scores for name in ("clean", "black-5", "noise-5")}
        assert not np.allclose(scores["clean"], scores["black-5"])
        assert not np.allclose(scores["black-5"], scores["noise-5"])
    assert outcome.of("temporal", "black-5") is outcome.of("temporal", "clean")


def test_work_shared_between_conditions_gives_what_the_whole_network_gives(
    packed: Path, loaded: tuple[Loaded, Loaded]
) -> None:
    dual, single = loaded
    networks = Networks(dual=dual.network, single=single.network, model=dual.config)  # type: ignore[arg-type]
    batches = list(evaluation_batches(packed / "val", input_size=(64, 48), batch_size=8, bbox="neighbour"))[:2]

    outcome = run_all(networks, batches, grid=Grid(kinds=("black",), severities=(5,), seed=0))
    whole = predict(dual.network, batches, model=dual.config, readouts=("final", "temporal"))
    alone = predict(single.network, batches, model=dual.config, readouts=("final",))

    for method, rows in (("final", whole["final"]), ("temporal", whole["temporal"]), ("single_frame", alone["final"])):
        np.testing.assert_allclose(outcome.of(method, "clean").scores, np.stack(rows["scores"].tolist()), atol=1e-5)


def test_copying_is_the_single_frame_pose_one_frame_earlier(packed: Path, loaded: tuple[Loaded, Loaded]) -> None:
    dual, single = loaded
    networks = Networks(dual=dual.network, single=single.network, model=dual.config)  # type: ignore[arg-type]
    batch = next(evaluation_batches(packed / "val", input_size=(64, 48), batch_size=8, bbox="neighbour"))
    earlier = batch.frames.clone()
    earlier[:, 2] = batch.frames[:, 1]

    outcome = run_all(networks, [batch], grid=Grid(kinds=("black",), severities=(5,), seed=0))
    wanted = predict(single.network, [replace(batch, frames=earlier)], model=dual.config, readouts=("final",))["final"]

    np.testing.assert_allclose(outcome.of("copy", "clean").scores, np.stack(wanted["scores"].tolist()), atol=1e-5)


def test_the_verdict_gives_a_finding_and_a_sentence_for_each_kind(stressed: Path) -> None:
    metrics = read(stressed / "metrics.json")

    assert set(metrics["verdict"]) == set(CONFIG.kinds)
    # Two videos are too few to say anything.
    assert {entry["holds"] for entry in metrics["verdict"].values()} == {"undecided"}
    assert all(entry["text"].endswith("the claim is undecided.") for entry in metrics["verdict"].values())
    assert metrics["boxes"] == "neighbour"
    assert metrics["metric"] == "PoseTrack AP"
    assert set(metrics["methods"]["final"]["noise"]) == {"clean", "s1", "retention_s1", "s4", "retention_s4"}


def test_everybody_is_counted_or_left_out(packed: Path, stressed: Path) -> None:
    metrics = read(stressed / "metrics.json")
    manifest = read(packed / "val" / "manifest.json")

    assert metrics["people"] + metrics["left_out"] == manifest["samples"]
    assert metrics["left_out"] > 0


def test_examples_have_pictures_truth_and_every_methods_pose(stressed: Path) -> None:
    examples = read(stressed / "examples" / "examples.json")

    assert len(examples) == CONFIG.examples
    for example in examples:
        assert image(stressed / "examples" / example["image"]).shape == (64, 48, 3)
        assert len(example["frames"]) == 5
        assert all((stressed / "examples" / name).is_file() for name in example["frames"])
        assert np.array(example["truth"]).shape == (17, 3)
        assert {name: np.array(points).shape for name, points in example["poses"].items()} == dict.fromkeys(
            METHODS, (17, 2)
        )
        if example["kind"] == "black":
            assert not image(stressed / "examples" / example["image"]).any()


def test_a_second_run_writes_the_same(
    packed: Path, loaded: tuple[Loaded, Loaded], stressed: Path, tmp_path: Path
) -> None:
    stress(CONFIG, *loaded, index=packed / "index", val=packed / "val", out=tmp_path)

    assert (tmp_path / "metrics.json").read_text() == (stressed / "metrics.json").read_text()
    assert (tmp_path / "curves.csv").read_text() == (stressed / "curves.csv").read_text()


def test_nobody_is_evaluated_whose_keyframe_would_leak() -> None:
    assert can_be_evaluated(clips.sample(0))
    assert not can_be_evaluated(clips.sample(0, neighbour_bbox=None))
    assert not can_be_evaluated(clips.sample(0, frames_used=(3, 5, 5, 6, 7)))


def test_a_limit_draws_samples_by_the_seed_in_their_order() -> None:
    samples = [clips.sample(person) for person in range(20)]

    drawn = chosen_keys(samples, limit=5, seed=1)

    assert len(drawn) == 5
    assert list(drawn) == sorted(drawn)
    assert drawn == chosen_keys(samples, limit=5, seed=1)
    assert drawn != chosen_keys(samples, limit=5, seed=2)
    assert chosen_keys(samples, limit=None, seed=1) == tuple(sample.key for sample in samples)


def test_a_split_in_which_nobody_can_be_evaluated_is_refused() -> None:
    with pytest.raises(Refusal, match="got 1 people, none of them labelled both before and after a keyframe"):
        chosen_keys([clips.sample(0, neighbour_bbox=None)], limit=None, seed=0)


def test_networks_in_each_others_place_are_refused(packed: Path, loaded: tuple[Loaded, Loaded], tmp_path: Path) -> None:
    dual, single = loaded

    with pytest.raises(Refusal, match="got SingleFrame and DSN, wanted a registered DSN and a SingleFrame control"):
        stress(CONFIG, single, dual, index=packed / "index", val=packed / "val", out=tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"severities": (1, 2)}, "one of them at least 3"),
        ({"severities": (4, 3)}, "ascending"),
        ({"severities": (3, 6)}, "from 1 to 5"),
        ({"kinds": ()}, "kinds: got .., wanted at least one"),
        ({"draws": 0}, "draws: got 0"),
        ({"max_samples": 0}, "max_samples: got 0"),
    ],
)
def test_a_test_of_nothing_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **change)


def test_a_selection_keeps_rows_together() -> None:
    batch = clips.batch(3)

    chosen = select(batch, frozenset({batch.keys[2]}))

    assert chosen.keys == (batch.keys[2],)
    assert chosen.samples == (batch.samples[2],)
    assert torch.equal(chosen.frames[0], batch.frames[2])


def test_times_are_those_of_the_frames_really_used() -> None:
    samples = [clips.sample(0, frames_used=(4, 4, 5, 6, 9))]

    assert supporting_times(samples, position=2).tolist() == [[-1, -1, 1, 4]]


def test_evaluation_reports_readouts_beside_the_mean_pose(packed: Path, evaluated: Path) -> None:
    metrics = read(evaluated / "metrics.json")
    manifest = read(packed / "val" / "manifest.json")

    assert set(metrics["readouts"]) == {"final", "temporal", "final_flip_test"}
    assert metrics["people"] == manifest["samples"]
    assert metrics["labels"] == {"files": 2, "frames": metrics["labels"]["frames"]}
    final, control = metrics["readouts"]["final"]["ap"]["Total"], metrics["controls"]["mean_pose"]["ap"]["Total"]
    assert metrics["margin_over_mean_pose"] == pytest.approx(final - control)
    # The network is untrained, so the mean pose is the better one.
    assert control > final
    assert set(metrics["sequences"]) == {"005001_mpii_test", "005002_mpii_test"}


def test_evaluation_leaves_predictions_that_the_official_evaluator_reads(packed: Path, evaluated: Path) -> None:
    index = read_index(packed / "index")
    for name in ("final", "temporal", "mean_pose"):
        rows = pd.read_parquet(evaluated / "predictions" / f"{name}.parquet")
        files = sorted(path.name for path in (evaluated / "predictions" / name).iterdir())
        assert files == ["005001_mpii_test.json", "005002_mpii_test.json"]
        assert set(rows["video"]) <= set(index.videos["video"])
        assert rows["keypoints"].map(len).unique().tolist() == [34]


def test_evaluation_lists_the_ap_of_every_joint(evaluated: Path) -> None:
    joints = pd.read_csv(evaluated / "joints.csv")

    assert list(joints.columns) == ["readout", "joint", "metric", "score"]
    sizes = joints.groupby("readout").size().to_dict()
    assert sizes == {"final": 15, "temporal": 15, "final_flip_test": 15}


@pytest.mark.parametrize("readouts", [(), ("temporal",), ("final", "final")])
def test_the_final_readout_is_always_scored_and_none_twice(readouts: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r"readouts: got .*, wanted `final` among them and none twice"):
        EvaluateConfig(batch_size=1, readouts=readouts, flip_test=False)
