"""A small world: what every stage before the report leaves, drawn."""

import io
import json
import shutil
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from jaxtyping import Float64, UInt8

from dsn import skeleton as skeletons
from dsn.skeleton import POSETRACK
from pipeline.artifacts import write_json
from pipeline.report.config import ReportConfig
from pipeline.report.inputs import Sources, read_inputs
from pipeline.report.page import render

SIZE = (64, 48)
"""Height and width of a crop, in pixels."""
PEOPLE = 9
SCALE = 4.0
"""Source pixels in a pixel of a crop."""
JOINTS = len(POSETRACK.joints)
METHODS = ("final", "single_frame", "temporal", "copy", "interpolation")
YARDSTICK = {"name": "PCKh@0.5", "unit": "head_size", "threshold": 0.5}

Points = Float64[np.ndarray, "K 2"]


def place(person: int) -> Points:
    """Where a person's joints are, in source pixels."""
    rng = np.random.default_rng(person)
    return rng.uniform(8, [SIZE[1] - 8, SIZE[0] - 8], (JOINTS, 2)) * SCALE + [100 * person, 50]


def key(person: int) -> str:
    """The key of a person's sample; all are in the fourth frame of one video."""
    return f"000001_drawn-{3:06d}-{person:03d}"


@pytest.fixture(scope="session")
def config() -> ReportConfig:
    """A short page."""
    return ReportConfig(best=1, median=1, worst=2, min_joints=5, examples=2, trials=2)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders, filled; for reading only."""
    root = tmp_path_factory.mktemp("world")
    world = below(root)
    for folder in (world.tune, world.val, world.index, world.evaluation / "predictions", world.stress / "examples"):
        folder.mkdir(parents=True)
    write_index(world.index)
    write_shards(world.val)
    write_runs(world)
    write_evaluation(world.evaluation)
    write_stress(world.stress)
    return root


@pytest.fixture
def sources(drawn: Path, tmp_path: Path) -> Sources:
    """The folders, filled, to be changed at will."""
    return below(shutil.copytree(drawn, tmp_path / "world"))


@pytest.fixture(scope="session")
def page(drawn: Path, config: ReportConfig) -> str:
    """The page of the folders as they were drawn."""
    return render(read_inputs(below(drawn)), config)


def below(root: Path) -> Sources:
    """Where everything lies."""
    return Sources(
        index=root / "index",
        pretrain=root / "pretrain",
        tune=root / "tune",
        control=root / "control",
        train=root / "train",
        evaluation=root / "evaluation",
        stress=root / "stress",
        registered=root / "registered.json",
        promotion=root / "promotion.json",
        val=root / "val",
    )


def write_index(folder: Path) -> None:
    write_json(folder / "skeleton.json", skeletons.to_dict(POSETRACK))
    counts = {"videos": 1, "labeled_frames": 1, "labeled_people": PEOPLE, "labeled_joints": 1234}
    write_json(
        folder / "checks.json",
        {
            "splits": {"train": counts, "select": counts, "val": counts},
            "holdout": {"text": "the last fifth is held out"},
        },
    )
    rows = [
        {
            "video": "000001_drawn",
            "frame": 3,
            "person": person,
            "track_id": person,
            "bbox": np.array([100 * person, 50, 100 * person + 192, 306], dtype=np.float32),
            "keypoints": np.column_stack([place(person), np.ones(JOINTS)]).astype(np.float32).ravel(),
        }
        for person in range(PEOPLE)
    ]
    pd.DataFrame(rows).to_parquet(folder / "people.parquet")


def write_shards(folder: Path) -> None:
    write_json(folder / "manifest.json", {"clip": [-1, 0, 1]})
    with tarfile.open(folder / "000000.tar", "w") as tar:
        for person in range(PEOPLE):
            for time in range(3):
                add(tar, f"{key(person)}.{time}.jpg", jpeg(40 * time + person))
            add(tar, f"{key(person)}.json", json.dumps(sample(person)).encode())


def sample(person: int) -> dict[str, object]:
    return {
        "key": key(person),
        "video": "000001_drawn",
        "frame": 3,
        "track_id": person,
        "keypoints": np.column_stack([place(person), np.ones(JOINTS)]).tolist(),
        "bbox": [100.0 * person, 50.0, 100.0 * person + 192, 306.0],
        "head_size": 40.0,
        "to_source": [[SCALE, 0.0, 100.0 * person], [0.0, SCALE, 50.0]],
    }


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def jpeg(grey: int) -> bytes:
    image: UInt8[np.ndarray, "H W 3"] = np.full((*SIZE, 3), grey, dtype=np.uint8)
    return cv2.imencode(".jpg", image)[1].tobytes()


def write_runs(world: Sources) -> None:
    for name, folder in (("pretrain", world.pretrain), ("control", world.control), ("train", world.train)):
        folder.mkdir()
        columns = {"step": [10.0, 20.0, 30.0], "loss": [0.02, 0.01, np.nan], "loss/final": [0.015, 0.008, np.nan]}
        columns["select/pck_final"] = [np.nan, np.nan, 61.25]
        if name == "train":
            columns |= {"loss/dense": [0.005, 0.002, np.nan], "select/pck_temporal": [np.nan, np.nan, 44.5]}
        pd.DataFrame(columns).to_csv(folder / "history.csv", index=False)
    best = {"step": 30.0, "select/pck_final": 61.25}
    run = {"run_id": "r1", "name": "dual-abc", "best": best, "samples": 960, "tags": {}, "yardstick": YARDSTICK}
    write_json(world.train / "run.json", run)
    write_json(world.pretrain / "run.json", run | {"name": "single_frame-abc", "start": None})
    trials = pd.DataFrame(
        {
            "trial": ["t0", "t1", "t2"],
            "status": ["finished", "finished", "error"],
            "step": [30, 10, np.nan],
            "select/pck_final": [55.5, 12.25, np.nan],
            "train.learning_rate": [0.0003, 0.002, 0.05],
        }
    )
    trials.to_csv(world.tune / "trials.csv", index=False)
    write_json(world.tune / "best.json", {"chosen": {"train": {"learning_rate": 0.0003}}, "trials": 3})
    tags = {"git.sha": "0123abc", "git.dirty": "true", "sha256": "feed", "data.train": "beef"}
    write_json(world.registered, {"name": "dsn-pose", "version": "7", "run_id": "r1", "tags": tags})
    promotion = {"promoted": True, "reason": "AP 61.2 is above <50>", "version": "7", "champion_before": None}
    write_json(world.promotion, promotion)


def write_evaluation(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for readout, spread in (("final", 6.0), ("temporal", 18.0), ("visual", 9.0), ("mean_pose", 60.0)):
        poses = [place(person) + rng.normal(0, spread * (person + 1) / 3, (JOINTS, 2)) for person in range(PEOPLE)]
        rows = [{"key": key(person), "keypoints": points.ravel()} for person, points in enumerate(poses)]
        pd.DataFrame(rows).to_parquet(folder / "predictions" / f"{readout}.parquet")
    pd.DataFrame(
        [
            (readout, joint, "PoseTrack AP", 50.0)
            for readout in ("final", "temporal", "visual")
            for joint in ("ankle", "neck")
        ],
        columns=["readout", "joint", "metric", "score"],
    ).to_csv(folder / "joints.csv", index=False)
    parts = [("all", "all", 9), ("size", "[192, 384)", 9), ("video", "000001_drawn", 9), ("joint", "nose", 9)]
    numbers = [(readout, *part, 61.2, 12.5, 71.5, 8.75, 0.354) for readout in ("final", "temporal") for part in parts]
    columns = ["readout", "by", "part", "people", "ap", "pckh_0.10", "pckh_0.50", "calibration_error", "jitter"]
    pd.DataFrame(numbers, columns=columns).to_csv(folder / "breakdown.csv", index=False)
    points = [(readout, share, 100 * share, 90 * share, 110 * share) for readout in ("final",) for share in (0.1, 0.5)]
    curve = pd.DataFrame(points, columns=["readout", "threshold", "pckh", "low", "high"])
    curve.to_csv(folder / "pckh.csv", index=False)
    write_json(
        folder / "metrics.json",
        {
            "data_hash": "cafe",
            "metric": "PoseTrack AP",
            "boxes": "ground truth",
            "box_source": None,
            "labels": {"files": 1, "frames": 17},
            "people": PEOPLE,
            "readouts": {"final": score(61.234), "temporal": score(44.4), "visual": score(58.8)},
            "controls": {"mean_pose": score(14.321) | {"mota": None}},
            "margin_over_mean_pose": 46.913,
            "sequences": {"000001_drawn": 61.234, "000002_drawn": None},
            "intervals": {"ap": {"final": {"value": 61.234, "low": 55.5, "high": 66.6}}},
            "joint_score": "heatmap_times_box",
            "joint_scores": {"heatmap_times_box": 61.234, "box": 52.125},
            "efficiency": {
                "parameters": 1_340_000,
                "macs_per_clip": 2.5e8,
                "clips_per_second": 53.4,
                "threads": 1,
                "device": "cpu",
            },
        },
    )


def score(total: float) -> dict[str, object]:
    ap = dict.fromkeys(("Head", "Shou", "Ankl", "Total"), total)
    return {"ap": ap, "oks_ap": 33.3, "oks_ap50": 66.6, "mota": -12.5}


def write_stress(folder: Path) -> None:
    rows = [
        (method, kind, severity, "PoseTrack AP", 60.0 - 5 * severity - number, 1 - severity / 12)
        for number, method in enumerate(METHODS)
        for kind in ("black", "motion_blur")
        for severity in (0, 3, 5)
    ]
    table = pd.DataFrame(rows, columns=["method", "kind", "severity", "metric", "ap", "retention"])
    table = table.assign(
        target="keyframe", stride=1, motion="all", joint="all", ap_low=table["ap"] - 4, ap_high=table["ap"] + 4
    )
    # Rows of other slices, which are no part of the curves.
    nothing = table.assign(ap=0.0)
    others = [nothing.assign(target="all"), nothing.assign(stride=4)]
    others += [nothing.assign(motion="[0, 0.1)"), nothing.assign(joint="nose")]
    pd.concat([*others, table]).to_csv(folder / "curves.csv", index=False)
    verdict = {
        "motion_blur": {"holds": "does not hold", "text": "It loses to the single frame."},
        "black": {"holds": "holds", "text": "It leads by 7.5 points."},
    }
    write_json(
        folder / "metrics.json",
        {
            "boxes": "neighbour",
            "people": 8,
            "left_out": 1,
            "videos": 1,
            "controls_missing": ["cut", "single_stream"],
            "retention": 0.42,
            "verdict": verdict,
        },
    )
    examples = []
    for person, kind in ((0, "black"), (1, "motion_blur"), (2, "black")):
        crop = (place(person) - [100 * person, 50]) / SCALE
        names = [f"{key(person)}-{time}.jpg" for time in ("a", 0, 1, 2)]
        for shade, name in enumerate(names):
            (folder / "examples" / name).write_bytes(jpeg(30 * shade + person))
        examples.append(
            {
                "key": key(person),
                "kind": kind,
                "severity": 5 - person,
                "image": names[0],
                "frames": names[1:],
                "keyframe": 1,
                "head_size": 10.0,
                "bbox_size": 64.0,
                "truth": np.column_stack([crop, np.ones(JOINTS)]).tolist(),
                "poses": {method: (crop + np.array([0, 2 * number])).tolist() for number, method in enumerate(METHODS)},
            }
        )
    write_json(folder / "examples" / "examples.json", examples)
