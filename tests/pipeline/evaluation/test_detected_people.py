import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from dsn.checkpoint import Loaded
from dsn.network import build
from dsn.skeleton import POSETRACK
from pipeline.artifacts import read_json, sha256
from pipeline.evaluation.evaluate import EvaluateConfig, evaluate
from pipeline.evaluation.predict import Poses, table
from pipeline.posetrack.boxes import BoxesConfig
from pipeline.posetrack.index import read_index
from pipeline.shards.manifest import read_manifest
from pipeline.shards.reader import evaluation_batches, read_samples
from tests.world import formats

CLIPS = importlib.import_module("tests.world.clips")
CONFIG = EvaluateConfig(
    batch_size=16, device="cpu", readouts=("final",), flip_test=False, joint_score="heatmap_times_box", draws=20, seed=0
)
BOXES = BoxesConfig(file=Path("boxes.json"), min_score=0.4)


@pytest.fixture(scope="module")
def root(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn world with detections: all annotated people of val, and one more in each frame that has any."""
    root = formats.posetrack18_as_mmpose_lays_it_out(drawn_world, tmp_path_factory.mktemp("detected") / "world")
    entries = []
    for split, _, content in formats.documents(drawn_world):
        if split == "val":
            people = content["annotations"]
            entries += [{"image_id": p["image_id"], "bbox": p["bbox"], "category_id": 1, "score": 0.9} for p in people]
            frames = sorted({person["image_id"] for person in people})
            entries += [{"image_id": n, "bbox": [1, 1, 30, 60], "category_id": 1, "score": 0.5} for n in frames]
    (root / BOXES.file).write_text(json.dumps(entries))
    return root


@pytest.fixture(scope="module")
def packed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = CLIPS.pack(root, tmp_path_factory.mktemp("packed"), boxes=BOXES)
    return folder


def test_vals_shards_hold_annotated_and_detected_people_and_name_the_boxes(packed: Path, root: Path) -> None:
    samples = list(read_samples(packed / "val"))
    index = read_index(packed / "index")

    manifests = {split: read_manifest(packed / split).boxes for split in ("train", "select", "val")}
    assert manifests == {"train": None, "select": None, "val": index.boxes}
    assert index.boxes is not None
    assert index.boxes.sha256 == sha256(root / BOXES.file)
    entries = read_json(root / BOXES.file)
    assert sorted(sample.score for sample in samples if sample.score) == sorted(entry["score"] for entry in entries)
    assert len([sample for sample in samples if sample.score is None]) == [e["score"] for e in entries].count(0.9)


def test_detected_people_have_no_neighbour_bbox_and_nothing_to_learn_from(packed: Path) -> None:
    found = [sample for sample in read_samples(packed / "val") if sample.score is not None]

    assert {sample.neighbour_bbox for sample in found} == {None}
    assert not np.array([sample.keypoints for sample in found]).any()
    assert len({(sample.video, sample.track_id) for sample in found}) == len(found)


@pytest.mark.parametrize(("bbox", "is_detected"), [("detected", {True}), ("neighbour", {False})])
def test_batches_hold_the_people_of_the_wanted_boxes(bbox: Any, packed: Path, *, is_detected: set[bool]) -> None:
    batches = evaluation_batches(packed / "val", input_size=CLIPS.SIZE, batch_size=50, bbox=bbox)

    assert {sample.score is not None for batch in batches for sample in batch.samples} == is_detected


def test_detected_people_alone_are_evaluated_and_every_number_names_their_boxes(packed: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Loaded(network=build(CLIPS.model_config(), POSETRACK), config=CLIPS.model_config(), skeleton=POSETRACK)

    evaluate(CONFIG, model, index=packed / "index", train=packed / "train", val=packed / "val", out=tmp_path)

    metrics = read_json(tmp_path / "metrics.json")
    source = read_json(packed / "index" / "boxes.json")
    found = read_index(packed / "index").people["score"].notna()
    assert metrics["box_source"] == source
    assert metrics["boxes"] == f"detected (boxes.json, sha256 {source['sha256'][:12]}, score at least 0.4)"
    assert metrics["protocol"] == "official PoseTrack AP"
    assert metrics["people"] == found.sum()
    assert metrics["readouts"]["final"]["mota"] is None
    assert metrics["controls"]["mean_pose"]["ap"]["Total"] > 0
    rows = pd.read_parquet(tmp_path / "predictions" / "mean_pose.parquet")
    assert {float(scores[0]) for scores in rows["scores"]} == {0.9, 0.5}


def test_joints_score_what_the_network_says_times_what_the_detector_says() -> None:
    samples = [CLIPS.sample(0), CLIPS.sample(1, score=0.25)]
    poses = Poses(keypoints=np.zeros((2, 17, 2)), scores=np.full((2, 17), 0.8))

    rows = table(samples, poses)

    assert [scores.tolist() for scores in rows["scores"]] == [[0.8] * 17, [0.2] * 17]
