"""What stage evaluate leaves beside its scores, for a random network on the drawn world."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dsn.checkpoint import Loaded
from dsn.skeleton import POSETRACK
from pipeline.evaluation.breakdown import HIDDEN, HIDDEN_JOINTS, breakdown, curves, ground_of, parts_of
from pipeline.evaluation.errors import THRESHOLDS
from pipeline.evaluation.evaluate import EvaluateConfig, evaluate
from pipeline.evaluation.predict import Poses, table
from pipeline.posetrack.index import Index, read_index
from pipeline.shards.reader import read_samples
from pipeline.shards.sample import ClipSample


@pytest.fixture(scope="module")
def samples(packed: Path) -> list[ClipSample]:
    return list(read_samples(packed / "val"))


def truth_of(samples: list[ClipSample], *, off: float = 0.0) -> pd.DataFrame:
    """Predictions that are the labels, each joint `off` head sizes to the right; what is not labelled scores 0."""
    labels = np.array([sample.keypoints for sample in samples], dtype=np.float64)
    heads = np.array([sample.head_size for sample in samples])
    labels[:, :, 0] += off * heads[:, None]
    return table(samples, Poses(keypoints=labels[:, :, :2], scores=labels[:, :, 2]))


def test_poses_that_are_the_labels_are_right_in_every_part(packed: Path, samples: list[ClipSample]) -> None:
    ground = ground_of(samples, index=read_index(packed / "index"), folder=packed / "index" / "truth" / "val")

    rows = pd.DataFrame(breakdown({"final": truth_of(samples)}, ground))

    assert set(rows["by"]) == {"all", "video", "joint", "motion", "size"}
    assert (rows["pckh_0.05"] == 100).all()
    assert rows["jitter"].dropna().abs().max() < 1e-9
    assert (rows["calibration_error"].dropna() == 0).all()
    by_part = rows[rows["by"].isin(["motion", "size"])]
    assert by_part["ap"].tolist() == pytest.approx([100.0] * len(by_part))
    assert rows[rows["by"] == "size"]["people"].sum() == len(samples)
    assert rows[rows["by"] == "joint"]["part"].tolist() == [POSETRACK.joints[joint] for joint in POSETRACK.scored]


def test_a_curve_rises_where_the_poses_are_off(packed: Path, samples: list[ClipSample]) -> None:
    ground = ground_of(samples, index=read_index(packed / "index"), folder=packed / "index" / "truth" / "val")
    times = np.array([[1, 1], [2, 0], [0, 2]])

    rows = pd.DataFrame(curves({"final": truth_of(samples, off=0.22)}, ground, times=times))

    assert rows["threshold"].tolist() == list(THRESHOLDS)
    assert rows["pckh"].tolist() == [0] * 4 + [100] * 6
    assert rows["low"].tolist() == rows["high"].tolist() == rows["pckh"].tolist()


def test_hidden_joints_are_a_part_where_the_source_tells_them(packed: Path, samples: list[ClipSample]) -> None:
    known = read_index(packed / "index")
    people = known.people.copy()
    first = POSETRACK.scored[0]
    people["occluded"] = [tuple(joint == first for joint in range(17)) for _ in range(len(people))]
    told = Index(**{**{name: getattr(known, name) for name in Index.__dataclass_fields__}, "people": people})
    ground = ground_of(samples, index=told, folder=packed / "index" / "truth" / "val")

    rows = pd.DataFrame(breakdown({"final": truth_of(samples)}, ground)).set_index("part")

    assert ground.hidden.sum() == ground.labels.labeled[:, first].sum() > 0
    assert parts_of(ground)["occlusion", HIDDEN].sum() == rows.loc[HIDDEN, "people"]
    assert rows.loc[HIDDEN_JOINTS, "pckh_0.50"] == 100
    assert rows.loc[HIDDEN, "ap"] == pytest.approx(100)


@pytest.fixture(scope="module")
def evaluated(packed: Path, loaded: tuple[Loaded, Loaded], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("details")
    config = EvaluateConfig(
        batch_size=16,
        device="cpu",
        readouts=("final", "temporal"),
        flip_test=False,
        joint_score="heatmap_times_box",
        draws=20,
        seed=0,
    )
    evaluate(config, loaded[0], index=packed / "index", train=packed / "train", val=packed / "val", out=out)
    return out


def metrics_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


def test_two_videos_have_the_official_numbers_without_intervals_and_leads_are_paired(evaluated: Path) -> None:
    metrics = metrics_of(evaluated)
    official = {
        name: entry["ap"]["Total"] for group in ("readouts", "controls") for name, entry in metrics[group].items()
    }

    ap, leads = metrics["intervals"]["ap"], metrics["intervals"]["lead_of_final"]
    assert {name: entry["value"] for name, entry in ap.items()} == pytest.approx(official)
    assert {entry[end] for entry in (*ap.values(), *leads.values()) for end in ("low", "high")} == {None}
    assert set(leads) == {"temporal", "mean_pose"}
    assert leads["temporal"]["value"] == pytest.approx(official["final"] - official["temporal"])


def test_every_rule_has_its_ap_and_in_ground_truth_boxes_two_are_one(evaluated: Path) -> None:
    metrics = metrics_of(evaluated)

    assert set(metrics["joint_scores"]) == {"heatmap_times_box", "heatmap", "box", "pose_times_box"}
    assert metrics["joint_scores"]["heatmap"] == metrics["joint_scores"]["heatmap_times_box"]
    assert metrics["joint_scores"][metrics["joint_score"]] == pytest.approx(metrics["readouts"]["final"]["ap"]["Total"])


def test_the_cost_and_the_metrics_whole_name_stand_beside_the_scores(
    evaluated: Path, loaded: tuple[Loaded, Loaded]
) -> None:
    metrics = metrics_of(evaluated)

    assert metrics["metric_in_full"] == "PoseTrack AP, boxes ground truth, labels unknown"
    assert metrics["efficiency"]["parameters"] == sum(one.numel() for one in loaded[0].network.parameters())
    assert 0 < metrics["efficiency"]["macs_per_frame"] < metrics["efficiency"]["macs_per_clip"]
    assert metrics["efficiency"]["clips_per_second"] > 0


def test_both_tables_name_every_readout(evaluated: Path) -> None:
    parts, points = pd.read_csv(evaluated / "breakdown.csv"), pd.read_csv(evaluated / "pckh.csv")

    assert set(parts["readout"]) == set(points["readout"]) == {"final", "temporal"}
    everyone = parts[(parts["readout"] == "final") & (parts["by"] == "all")].iloc[0]
    halfway = points[(points["readout"] == "final") & (points["threshold"] == 0.5)].iloc[0]
    assert halfway["pckh"] == pytest.approx(everyone["pckh_0.50"])
    assert math.isnan(halfway["low"])
    assert not math.isnan(everyone["calibration_error"])
