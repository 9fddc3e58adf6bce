"""What benchmarks.scoring compares: ours, bare parsing, and the protocol as one loop over frames, people and joints."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import motmetrics
import numpy as np

from pipeline.evaluation.loading import read_pairs
from pipeline.evaluation.people import JOINTS
from pipeline.evaluation.posetrack18 import NAMES
from pipeline.evaluation.poseval import evaluate

THRESHOLD = 0.5


def ours(gt: Path, pred: Path) -> float:
    """AP and MOTA, as `python -m pipeline score` has them; gives the total AP."""
    total: float = evaluate(read_pairs(gt, pred), tracking=True)["ap"]["total"]
    return total


def ours_without_tracking(gt: Path, pred: Path) -> float:
    """AP alone."""
    total: float = evaluate(read_pairs(gt, pred), tracking=False)["ap"]["total"]
    return total


def ours_reading(gt: Path, pred: Path) -> int:
    """The reading in it: all files as arrays."""
    return sum(len(truth.frames) for truth, _ in read_pairs(gt, pred))


def floor(gt: Path, pred: Path) -> int:
    """The standard library's parser on the same files, and nothing else."""
    return sum(len(json.loads(path.read_bytes())) for side in (gt, pred) for path in sorted(side.glob("*.json")))


def rival(gt: Path, pred: Path) -> float:
    """PoseTrack18 files frame by frame, as the official evaluator goes about it: AP and motmetrics' events."""
    scores: list[list[tuple[float, bool]]] = [[] for _ in JOINTS]
    annotated = np.zeros(len(JOINTS), dtype=np.int64)
    for path in sorted(gt.glob("*.json")):
        accumulators = [motmetrics.MOTAccumulator(auto_id=True) for _ in JOINTS]
        for truth, found in _frames(path, pred / path.name):
            distances = np.array([[_distances(person, other) for person in truth] for other in found])
            annotated += sum(_present(person) for person in truth)
            _add_scores(distances, truth, found=found, scores=scores)
            _add_events(distances, truth, found=found, accumulators=accumulators)
    return float(
        np.mean([_average_precision(joint, int(count)) for joint, count in zip(scores, annotated, strict=True)])
    )


def _frames(gt: Path, pred: Path) -> Iterator[tuple[list[Any], list[Any]]]:
    truth, found = (json.loads(path.read_bytes()) for path in (gt, pred))
    columns = [truth["categories"][0]["keypoints"].index(name) for name in NAMES]
    for image in truth["images"]:
        yield tuple(  # type: ignore[misc]
            [
                person | {"points": np.reshape(person["keypoints"], (-1, 3))[columns], "columns": columns}
                for person in side["annotations"]
                if person["image_id"] == image["id"]
            ]
            for side in (truth, found)
        )


def _present(person: Any) -> Any:
    return (person["points"] != 0).any(axis=1)


def _distances(person: Any, other: Any) -> list[float]:
    head = 0.6 * np.linalg.norm(person["bbox_head"][2:])
    offsets = other["points"][:, :2] - person["points"][:, :2]
    both = _present(person) & _present(other)
    return [
        float(np.linalg.norm(offset) / head) if there else np.inf for offset, there in zip(offsets, both, strict=True)
    ]


def _add_scores(distances: Any, truth: list[Any], *, found: list[Any], scores: list[list[tuple[float, bool]]]) -> None:
    share = (distances <= THRESHOLD).sum(axis=2) / np.array([max(_present(person).sum(), 1) for person in truth])
    best = share.argmax(axis=1)
    kept = np.zeros_like(share)
    kept[np.arange(len(found)), best] = share[np.arange(len(found)), best]
    matched = {int(column.argmax()): person for person, column in enumerate(kept.T) if column.max() > 0}
    for number, other in enumerate(found):
        for joint, there in enumerate(_present(other)):
            if there:
                hit = number in matched and distances[number, matched[number], joint] <= THRESHOLD
                scores[joint].append((other["scores"][other["columns"][joint]], bool(hit)))


def _add_events(distances: Any, truth: list[Any], *, found: list[Any], accumulators: list[Any]) -> None:
    for joint, accumulator in enumerate(accumulators):
        rows, columns = ([k for k, person in enumerate(side) if _present(person)[joint]] for side in (truth, found))
        cost = distances[:, :, joint].T[np.ix_(rows, columns)]
        tracks = ([side[k]["track_id"] for k in kept] for side, kept in ((truth, rows), (found, columns)))
        accumulator.update(*tracks, np.where(cost <= THRESHOLD, cost, np.nan))


def _average_precision(scores: list[tuple[float, bool]], annotated: int) -> float:
    hits = np.cumsum([hit for _, hit in sorted(scores, key=lambda entry: -entry[0])])
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float(100 * (np.diff(hits, prepend=0) * precision).sum() / annotated)
