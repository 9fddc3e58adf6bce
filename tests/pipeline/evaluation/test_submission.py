"""Predictions written as PoseTrack18 files are what the evaluator reads."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dsn.skeleton import POSETRACK
from pipeline.evaluation.poseval import score_folders
from pipeline.evaluation.submission import write_predictions

Json = dict[str, Any]
Build = Callable[..., Json]
Pose = dict[str, tuple[float, float]]


def _table(truth: Path) -> pd.DataFrame:
    """Every person of the ground truth as a prediction, with distinct scores."""
    rows: list[Json] = []
    for file in sorted(truth.glob("*.json")):
        content = json.loads(file.read_text())
        position = {image["id"]: number for number, image in enumerate(content["images"])}
        for annotation in content["annotations"]:
            points = np.reshape(annotation["keypoints"], (17, 3))[:, :2]
            rows.append(
                {
                    "key": "any",
                    "video": file.stem,
                    "frame": position[annotation["image_id"]],
                    "frame_id": annotation["image_id"],
                    "person": len(rows),
                    "track_id": annotation["track_id"],
                    "keypoints": points.ravel().astype(np.float32),
                    "scores": ((np.arange(17) + 1 + 17 * len(rows)) / 1e6).astype(np.float32),
                }
            )
    return pd.DataFrame(rows)


def test_ground_truth_written_as_predictions_recalls_every_joint(oracle: Path, tmp_path: Path) -> None:
    truth = oracle / "p1_dense_noise" / "gt"

    write_predictions(_table(truth), truth, out_folder=tmp_path, skeleton=POSETRACK)
    result = score_folders(truth, tmp_path)

    assert result["recall"] == pytest.approx(dict.fromkeys(result["recall"], 100.0))
    assert result["mot"]["rec"] == pytest.approx(dict.fromkeys(result["mot"]["rec"], 100.0))


def test_fully_labelled_ground_truth_written_as_predictions_scores_100(
    tmp_path: Path, person: Build, document: Build, full_pose: Pose
) -> None:
    truth = tmp_path / "truth"
    truth.mkdir()
    content = document(3, [person(frame, full_pose, track=7) for frame in range(3)])
    (truth / "000001_mpii_test.json").write_text(json.dumps(content))

    write_predictions(_table(truth), truth, out_folder=tmp_path / "out", skeleton=POSETRACK)
    result = score_folders(truth, tmp_path / "out")

    assert result["ap"]["total"] == pytest.approx(100)
    assert result["mot"]["mota"]["total"] == pytest.approx(100)


def test_a_file_has_the_truth_s_images_absent_ears_and_a_score_for_every_joint(
    tmp_path: Path, person: Build, document: Build, full_pose: Pose
) -> None:
    (tmp_path / "truth").mkdir()
    for video in ("000001_mpii_test", "000002_mpii_test"):
        content = document(2, [person(1, full_pose)] if video == "000001_mpii_test" else [])
        (tmp_path / "truth" / f"{video}.json").write_text(json.dumps(content))
    table = _table(tmp_path / "truth")

    write_predictions(table, tmp_path / "truth", out_folder=tmp_path / "out", skeleton=POSETRACK)

    first, second = (json.loads(file.read_text()) for file in sorted((tmp_path / "out").iterdir()))
    assert second["annotations"] == []
    assert [image["id"] for image in first["images"]] == [0, 1]
    assert [image["file_name"] for image in first["images"]] == [image["file_name"] for image in content["images"]]
    assert first["categories"][0]["keypoints"] == list(POSETRACK.joints)
    (annotation,) = first["annotations"]
    assert annotation["image_id"] == 1
    assert annotation["keypoints"][:9] == [50, 200, 1, 90, 200, 1, 130, 200, 1]
    assert annotation["keypoints"][9:15] == [0] * 6
    assert annotation["scores"][3:5] == [0, 0]
    assert annotation["scores"][5] == pytest.approx(6e-6)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [("video", "elsewhere", "video: got predictions for elsewhere"), ("frame", 2, "frame: got 2, wanted 0 to 1")],
)
def test_a_row_of_no_ground_truth_is_an_error(
    tmp_path: Path, person: Build, document: Build, full_pose: Pose, column: str, value: Any, words: str
) -> None:
    (tmp_path / "truth").mkdir()
    content = document(2, [person(0, full_pose)])
    (tmp_path / "truth" / "000001_mpii_test.json").write_text(json.dumps(content))
    table = _table(tmp_path / "truth").assign(**{column: value})

    with pytest.raises(ValueError, match=words):
        write_predictions(table, tmp_path / "truth", out_folder=tmp_path / "out", skeleton=POSETRACK)


def test_a_network_that_gives_nan_is_an_error_and_leaves_no_file(
    tmp_path: Path, person: Build, document: Build, full_pose: Pose
) -> None:
    (tmp_path / "truth").mkdir()
    content = document(1, [person(0, full_pose)])
    (tmp_path / "truth" / "000001_mpii_test.json").write_text(json.dumps(content))
    table = pd.DataFrame([row | {"scores": [math.nan] * 17} for row in _table(tmp_path / "truth").to_dict("records")])

    with pytest.raises(ValueError, match="not JSON compliant"):
        write_predictions(table, tmp_path / "truth", out_folder=tmp_path / "out", skeleton=POSETRACK)
    assert not (tmp_path / "out").exists()
