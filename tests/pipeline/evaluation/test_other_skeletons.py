import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from dsn.checkpoint import Loaded, load, save
from dsn.network import build, build_single_frame
from pipeline.artifacts import read_json
from pipeline.evaluation.evaluate import EvaluateConfig, evaluate
from pipeline.evaluation.pck import grouped, pck
from pipeline.evaluation.stress import Data, stress
from pipeline.evaluation.stress_config import StressConfig
from pipeline.release.promotion import measured
from pipeline.shards.manifest import read_manifest
from pipeline.shards.reader import evaluation_batches
from tests.world import formats
from tests.world.formats import STICK

CLIPS = importlib.import_module("tests.world.clips")
STRESS = StressConfig(
    kinds=("black",),
    severities=(3,),
    targets=("keyframe",),
    strides=(1,),
    single_stream=None,
    seed=0,
    batch_size=16,
    device="cpu",
    max_samples=None,
    draws=5,
    examples=1,
)


@pytest.fixture(scope="module")
def packed(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Index and shards of own data with five joints and no head boxes."""
    folder = tmp_path_factory.mktemp("own")
    packed: Path = CLIPS.pack(formats.own(drawn_world, folder / "world"), folder)
    return packed


@pytest.fixture(scope="module")
def model() -> Loaded:
    torch.manual_seed(0)
    return Loaded(network=build(CLIPS.model_config(), STICK), config=CLIPS.model_config(), skeleton=STICK)


def test_the_skeleton_travels_to_shards_batches_and_the_saved_model(
    packed: Path, model: Loaded, tmp_path: Path
) -> None:
    batch = next(iter(evaluation_batches(packed / "val", input_size=CLIPS.SIZE, batch_size=4)))
    save(tmp_path, model.network, config=model.config, skeleton=model.skeleton)

    assert {read_manifest(packed / split).skeleton == STICK for split in ("train", "select", "val")} == {True}
    assert batch.keypoints.shape == (4, 5, 2)
    assert load(tmp_path).skeleton == STICK


@pytest.fixture(scope="module")
def evaluated(packed: Path, model: Loaded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("evaluation")
    config = EvaluateConfig(
        batch_size=16,
        device="cpu",
        readouts=("final",),
        flip_test=False,
        joint_score="heatmap_times_box",
        draws=20,
        seed=0,
    )
    evaluate(config, model, index=packed / "index", train=packed / "train", val=packed / "val", out=out)
    return out


@pytest.fixture(scope="module")
def stressed(packed: Path, model: Loaded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("stress")
    control = Loaded(
        network=build_single_frame(CLIPS.model_config(), STICK), config=CLIPS.model_config(), skeleton=STICK
    )
    stress(
        STRESS, model, control, data=Data(index=packed / "index", root=packed / "world", val=packed / "val"), out=out
    )
    return out


def test_evaluation_says_that_there_is_no_official_ap_and_gives_oks_and_pck(evaluated: Path) -> None:
    metrics = read_json(evaluated / "metrics.json")

    assert metrics["metric"] == "OKS-AP"
    assert metrics["protocol"].endswith("the official PoseTrack AP knows no such skeleton")
    for score in (metrics["readouts"]["final"], metrics["controls"]["mean_pose"]):
        assert score["ap"] == {"Total": score["oks_ap"]}
        assert set(score["pck"]) == {"Head", "Hands", "Feet", "Total"}
        assert 0 <= score["pck"]["Total"] <= 100
    final, control = metrics["readouts"]["final"], metrics["controls"]["mean_pose"]
    assert control["pck"]["Total"] > final["pck"]["Total"]
    assert metrics["margin_over_mean_pose"] == pytest.approx(final["oks_ap"] - control["oks_ap"])
    assert set(metrics["sequences"]) == {"005001_mpii_test", "005002_mpii_test"}
    assert metrics["metric"] in metrics["protocol"]


def test_joints_are_listed_by_pck(evaluated: Path) -> None:
    joints = pd.read_csv(evaluated / "joints.csv")

    assert joints["joint"].tolist() == list(STICK.joints)
    assert set(joints["metric"]) == {"PCK@0.2"}
    total = read_json(evaluated / "metrics.json")["readouts"]["final"]["pck"]["Total"]
    assert joints["score"].mean() == pytest.approx(total)


def test_stress_compares_by_the_score_that_evaluation_gives(stressed: Path) -> None:
    metrics, curves = read_json(stressed / "metrics.json"), pd.read_csv(stressed / "curves.csv")

    assert metrics["metric"] == "OKS-AP"
    assert set(curves["metric"]) == {"OKS-AP"}
    assert "the final readout has OKS-AP" in metrics["verdict"]["black"]["text"]
    everyone = curves[(curves["motion"] == "all") & (curves["joint"] == "all")]
    assert len(everyone) == len(set(curves["method"])) * 2
    assert everyone["ap"].between(0, 100).all()


def test_examples_of_people_without_heads_have_the_size_of_their_bbox(stressed: Path) -> None:
    (example,) = read_json(stressed / "examples" / "examples.json")

    assert example["head_size"] is None
    assert 0 < example["bbox_size"] <= max(CLIPS.SIZE)


def test_a_candidate_comes_to_the_gate_with_its_oks_ap(evaluated: Path, stressed: Path) -> None:
    evaluation, found = read_json(evaluated / "metrics.json"), read_json(stressed / "metrics.json")

    standing = measured("1", evaluation=evaluation, stress=found)

    assert (standing.metric, standing.ap) == ("OKS-AP", evaluation["readouts"]["final"]["oks_ap"])
    assert standing.retention == found["retention"]


def people(*rows: list[tuple[float, float, float]]) -> pd.DataFrame:
    """People with bboxes of 50 x 100, so that a keypoint may be 20 pixels off."""
    return pd.DataFrame(
        {
            "video": "v",
            "frame": 0,
            "person": range(len(rows)),
            "bbox": [[0.0, 0.0, 50.0, 100.0]] * len(rows),
            "keypoints": [np.ravel(row).tolist() for row in rows],
        }
    )


def found(*rows: list[tuple[float, float]]) -> pd.DataFrame:
    keypoints = [np.ravel(row) for row in rows]
    return pd.DataFrame({"video": "v", "frame": 0, "person": range(len(rows)), "keypoints": keypoints})


def test_a_keypoint_is_right_within_a_fifth_of_the_longer_side() -> None:
    truth = people([(10, 10, 1), (20, 20, 1), (30, 30, 1), (0, 0, 0), (50, 50, 1)])
    predictions = found([(10, 30), (20, 40.1), (42, 46), (9, 9), (50, 50)])

    assert pck(truth, predictions, skeleton=STICK) == {
        "head": 100, "hand_a": 0, "hand_b": 100, "foot_a": None, "foot_b": 100,
    }  # fmt: skip


def test_who_was_not_predicted_is_wrong() -> None:
    everything = [(10.0, 10.0, 1.0)] * 5

    result = pck(people(everything, everything), found([(10.0, 10.0)] * 5), skeleton=STICK)

    assert set(result.values()) == {50}


def test_columns_are_means_over_joints_that_have_a_value() -> None:
    joints = {"head": 10.0, "hand_a": 20.0, "hand_b": None, "foot_a": None, "foot_b": None}

    assert grouped(joints, skeleton=STICK) == {"Head": 10, "Hands": 20, "Feet": None, "Total": 15}
