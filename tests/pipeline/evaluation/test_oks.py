"""OKS-AP against pycocotools, and against a number worked out by hand."""

import contextlib
import io
import math

import numpy as np
import pandas as pd
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from dsn.skeleton import POSETRACK
from pipeline.evaluation.oks import STATS, oks_ap

SCORED = list(POSETRACK.scored)


def _truth(rng: np.random.Generator, *, frames: int, people: int) -> pd.DataFrame:
    rows = []
    for frame in range(frames):
        for person in range(people):
            corner, extent = rng.uniform(0, 400, 2), rng.uniform(20, 300, 2)
            points = corner + rng.uniform(0, 1, (17, 2)) * extent
            visible = rng.random(17) < (0.8 if rng.random() < 0.9 else 0.0)
            visible[[3, 4]] = False
            rows.append(
                {
                    "video": f"video{frame % 2}",
                    "frame": frame,
                    "frame_id": frame // 2,
                    "person": person,
                    "track_id": person,
                    "bbox": np.concatenate([corner, corner + extent]).astype(np.float32),
                    "keypoints": np.column_stack([points, visible]).ravel().astype(np.float32),
                }
            )
    return pd.DataFrame(rows)


def _predictions(rng: np.random.Generator, truth: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for row in truth.to_dict("records"):
        points = np.asarray(row["keypoints"]).reshape(17, 3)[:, :2]
        for _ in range(int(rng.integers(0, 3))):
            moved = points + rng.normal(0, 5, (17, 2))
            rows.append(
                {name: row[name] for name in ("video", "frame", "frame_id", "person", "track_id")}
                | {
                    "key": "any",
                    "keypoints": moved.ravel().astype(np.float32),
                    "scores": rng.random(17).astype(np.float32),
                }
            )
    return pd.DataFrame(rows)


def _second_opinion(truth: pd.DataFrame, predictions: pd.DataFrame) -> dict[str, float]:
    """pycocotools with the sigmas of the scored joints."""
    images = {
        name: number for number, name in enumerate(sorted({*zip(truth["video"], truth["frame_id"], strict=True)}), 1)
    }
    people, found = [], []
    for number, row in enumerate(truth.to_dict("records"), 1):
        x1, y1, x2, y2 = np.asarray(row["bbox"], dtype=np.float64).tolist()
        keypoints = np.asarray(row["keypoints"], dtype=np.float64).reshape(17, 3)[SCORED]
        people.append(
            {
                "id": number, "image_id": images[row["video"], row["frame_id"]], "category_id": 1, "iscrowd": 0,
                "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1) * 0.53,
                "keypoints": keypoints.ravel().tolist(), "num_keypoints": int((keypoints[:, 2] > 0).sum()),
            }
        )  # fmt: skip
    for row in predictions.to_dict("records"):
        points = np.asarray(row["keypoints"], dtype=np.float64).reshape(17, 2)[SCORED]
        found.append(
            {
                "image_id": images[row["video"], row["frame_id"]], "category_id": 1,
                "keypoints": np.column_stack([points, np.ones(15)]).ravel().tolist(),
                "score": float(np.asarray(row["scores"], dtype=np.float64)[SCORED].mean()),
            }
        )  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": [{"id": number} for number in images.values()],
            "annotations": people,
            "categories": [{"id": 1, "name": "person"}],
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(found), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.array(POSETRACK.sigmas)[SCORED]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: 100 * value for name, value in zip(STATS, evaluation.stats, strict=True)}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_number_is_that_of_pycocotools(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = _truth(rng, frames=12, people=4)
    predictions = _predictions(rng, truth)

    result = oks_ap(truth, predictions, skeleton=POSETRACK)

    assert 10 < result["AP"] < 90
    assert result == pytest.approx(_second_opinion(truth, predictions), abs=1e-9)


def test_the_labels_themselves_score_100_whatever_the_ears_are(capsys: pytest.CaptureFixture[str]) -> None:
    truth = _truth(np.random.default_rng(3), frames=4, people=1)
    predictions = pd.DataFrame(
        [
            row | {"keypoints": _with_wild_ears(row["keypoints"]), "scores": [0.5] * 17}
            for row in truth.to_dict("records")
        ]
    )

    result = oks_ap(truth, predictions, skeleton=POSETRACK)

    assert result["AP"] == pytest.approx(100)
    assert result["AR"] == pytest.approx(100)
    assert capsys.readouterr().out == ""


def _with_wild_ears(keypoints: np.ndarray) -> np.ndarray:
    points = keypoints.reshape(17, 3)[:, :2].copy()
    points[[3, 4]] = 1e6
    return points.ravel()


def test_a_single_joint_off_by_a_known_distance_passes_up_to_its_oks() -> None:
    """exp(-d^2 / (2 area (2 sigma)^2)) is 0.72 on the nose: it passes 0.5, 0.55, 0.6, 0.65 and 0.7, half of the ten."""
    area = 100 * 100 * 0.53
    distance = 2 * POSETRACK.sigmas[0] * math.sqrt(-2 * area * math.log(0.72))
    keypoints = np.zeros((17, 3))
    keypoints[0] = (50, 50, 1)
    row = {"video": "a", "frame_id": 1, "bbox": [0.0, 0.0, 100.0, 100.0], "keypoints": keypoints.ravel()}
    moved = np.zeros((17, 2))
    moved[0] = (50 + distance, 50)

    result = oks_ap(
        pd.DataFrame([row]),
        pd.DataFrame([row | {"keypoints": moved.ravel(), "scores": np.ones(17)}]),
        skeleton=POSETRACK,
    )

    assert result["AP"] == pytest.approx(50)
    assert result["AP50"] == pytest.approx(100)
    assert result["AP75"] == 0
    assert math.isnan(result["AP_large"])


def test_no_predictions_score_zero() -> None:
    truth = _truth(np.random.default_rng(3), frames=2, people=1)
    nothing = pd.DataFrame({"video": [], "frame_id": [], "keypoints": [], "scores": []})

    assert oks_ap(truth, nothing, skeleton=POSETRACK)["AP"] == 0
