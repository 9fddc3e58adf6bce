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

from dsn.checkpoint import Loaded, save
from dsn.network import build
from dsn.skeleton import POSETRACK
from pipeline.artifacts import sha256
from pipeline.evaluation.evaluate import EvaluateConfig, evaluate
from pipeline.evaluation.kinds import Kind
from pipeline.evaluation.methods import SEES
from pipeline.evaluation.stress import Data, can_be_evaluated, chosen_keys, stress
from pipeline.evaluation.stress_config import StreamConfig, StressConfig
from pipeline.posetrack.index import read_index
from pipeline.refusal import Refusal

clips = importlib.import_module("tests.world.clips")

CONFIG = StressConfig(
    kinds=("black", "noise"),
    severities=(1, 4),
    targets=("keyframe",),
    strides=(1,),
    single_stream=None,
    seed=0,
    batch_size=16,
    device="cpu",
    max_samples=None,
    draws=10,
    examples=3,
)
METHODS = tuple(method for method in SEES if method != "single_stream")
SOME: tuple[Kind, ...] = ("foreign", "motion_blur")
KEPT = ["method", "target", "kind", "severity", "stride", "motion", "joint"]


@pytest.fixture(scope="module")
def stressed(
    packed: Path, drawn_world: Path, loaded: tuple[Loaded, Loaded], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("stress")
    stress(CONFIG, *loaded, data=data_of(packed, drawn_world), out=out)
    return out


@pytest.fixture(scope="module")
def evaluated(packed: Path, loaded: tuple[Loaded, Loaded], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluation")
    config = EvaluateConfig(
        batch_size=16,
        device="cpu",
        readouts=("final", "temporal"),
        flip_test=True,
        joint_score="heatmap_times_box",
        draws=20,
        seed=0,
    )
    evaluate(config, loaded[0], index=packed / "index", train=packed / "train", val=packed / "val", out=out)
    return out


def data_of(packed: Path, root: Path) -> Data:
    return Data(index=packed / "index", root=root, val=packed / "val")


def read(path: Path) -> Any:
    return json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{path} holds {name}"))


def image(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    return np.asarray(cv2.imread(str(path)), dtype=np.uint8)


def test_every_method_is_scored_under_every_kind_and_severity(stressed: Path) -> None:
    curves = pd.read_csv(stressed / "curves.csv")
    everyone = curves[(curves["motion"] == "all") & (curves["joint"] == "all")]

    assert list(curves.columns[:7]) == KEPT
    found = set(everyone[["method", "kind", "severity"]].itertuples(index=False, name=None))
    assert found == {(m, k, s) for m in METHODS for k in CONFIG.kinds for s in (0, *CONFIG.severities)}
    assert not curves.duplicated(KEPT).any()
    assert everyone[["ap", "retention", "rescue", "harm", "pckh_0.50", "calibration_error"]].notna().any().all()
    single = everyone[everyone["method"] == "single_frame"]
    assert set(single["rescue"].dropna()) | set(single["harm"].dropna()) == {0.0}


def test_joints_and_motions_have_rows_of_their_own(stressed: Path) -> None:
    curves = pd.read_csv(stressed / "curves.csv")
    people = read(stressed / "metrics.json")["motion"]

    assert set(curves["joint"]) - {"all"} == {POSETRACK.joints[joint] for joint in POSETRACK.scored}
    assert set(curves["motion"]) == {name for name, count in people.items() if count}
    assert 0 < sum(count for name, count in people.items() if name != "all") <= people["all"]


def test_the_plotted_table_has_a_column_for_each_method(stressed: Path) -> None:
    assert set(pd.read_csv(stressed / "severity.csv").columns) == {"severity", *METHODS}


@pytest.mark.parametrize("targets", [("keyframe", "supporting", "all")])
def test_the_whole_grid_runs_with_farther_frames_and_a_single_stream(
    packed: Path, drawn_world: Path, loaded: tuple[Loaded, Loaded], tmp_path: Path, targets: tuple[Any, ...]
) -> None:
    dual = loaded[0]
    stream = replace(dual.config, encoder=replace(dual.config.encoder, inputs="all"))
    torch.manual_seed(1)
    save(tmp_path / "stream", build(stream, POSETRACK), config=stream, skeleton=POSETRACK)
    known = StreamConfig(folder=tmp_path / "stream", sha256=sha256(tmp_path / "stream" / "network.safetensors"))
    config = replace(
        CONFIG, kinds=SOME, severities=(3,), targets=targets, strides=(1, 2), single_stream=known, max_samples=40
    )

    stress(config, *loaded, data=data_of(packed, drawn_world), out=tmp_path)

    metrics, curves = read(tmp_path / "metrics.json"), pd.read_csv(tmp_path / "curves.csv")
    assert metrics["controls_missing"] == []
    assert set(metrics["verdict"]) == {*SOME, *(f"{kind}, stride 2" for kind in SOME)}
    everyone = curves[(curves["motion"] == "all") & (curves["joint"] == "all")]
    assert len(everyone) == (len(METHODS) + 1) * len(SOME) * len(targets) * 2 * 2
    with pytest.raises(Refusal, match=r"stress\.single_stream\.sha256: got 0, wanted "):
        stress(
            replace(config, single_stream=replace(known, sha256="0")),
            *loaded,
            data=data_of(packed, drawn_world),
            out=tmp_path,
        )


def test_the_verdict_gives_a_finding_and_a_sentence_for_each_kind(stressed: Path) -> None:
    metrics = read(stressed / "metrics.json")

    assert set(metrics["verdict"]) == set(CONFIG.kinds)
    # Two videos are too few to say anything.
    assert {entry["holds"] for entry in metrics["verdict"].values()} == {"undecided"}
    assert all(entry["text"].endswith("the claim is undecided.") for entry in metrics["verdict"].values())
    assert metrics["boxes"] == "neighbour"
    assert len(metrics["grid_hash"]) == 32
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
    packed: Path, drawn_world: Path, loaded: tuple[Loaded, Loaded], stressed: Path, tmp_path: Path
) -> None:
    stress(CONFIG, *loaded, data=data_of(packed, drawn_world), out=tmp_path)

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


def test_a_network_without_a_temporal_stream_is_compared_without_what_is_made_of_it(
    packed: Path, drawn_world: Path, loaded: tuple[Loaded, Loaded], tmp_path: Path
) -> None:
    dual, single = loaded
    config = replace(
        dual.config,
        fusion=replace(dual.config.fusion, mode="visual"),
        context=replace(dual.config.context, tokens="none"),
    )
    alone = Loaded(network=build(config, POSETRACK).eval(), config=config, skeleton=POSETRACK)

    stress(replace(CONFIG, max_samples=10), alone, single, data=data_of(packed, drawn_world), out=tmp_path)

    metrics = read(tmp_path / "metrics.json")
    assert set(METHODS) - set(metrics["methods"]) == {"temporal", "cut"}
    assert metrics["controls_missing"] == ["cut", "single_stream"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"severities": (1, 2)}, "one of them at least 3"),
        ({"severities": (4, 3)}, "ascending"),
        ({"severities": (3, 6)}, "from 1 to 5"),
        ({"kinds": ()}, "kinds: got .., wanted at least one"),
        ({"draws": 0}, "draws: got 0"),
        ({"targets": ("all",)}, "targets: got .*, wanted keyframe among them"),
        ({"strides": (2,)}, "strides: got .*, wanted 1 among them"),
        ({"strides": (1, 0)}, "strides: got 0, wanted at least 1"),
        ({"max_samples": 0}, "max_samples: got 0"),
    ],
)
def test_a_test_of_nothing_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **change)


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
        EvaluateConfig(
            batch_size=1,
            device="cpu",
            readouts=readouts,
            flip_test=False,
            joint_score="heatmap_times_box",
            draws=20,
            seed=0,
        )
