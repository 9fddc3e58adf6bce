"""Which clips are shown, and their pictures out of val's shards."""

import json
import tarfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float64

from dsn.skeleton import Skeleton
from pipeline.artifacts import read_json
from pipeline.refusal import Refusal
from pipeline.report.config import ReportConfig

Rank = Literal["best", "median", "worst"]

AREA = 0.53
"""A person's area by the area of its bbox: xtcocotools' rule where a dataset gives no areas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One record of a shard."""

    frames: tuple[bytes, ...]
    """JPEG of every frame, in order of time."""
    sample: dict[str, Any]
    """The record's metadata."""


def oks_table(people: pd.DataFrame, predictions: dict[str, pd.DataFrame], *, skeleton: Skeleton) -> pd.DataFrame:
    """Object Keypoint Similarity of every predicted person: one row a sample, one column a readout, best final first.

    Rows are indexed by the sample's key and hold `track` (which person it is) and `joints` (how many are labelled).

    Raises:
        Refusal: no predicted sample is in the index.
    """
    truth = people.assign(key=_keys(people)).set_index("key")
    known = [key for key in predictions["final"]["key"] if key in truth.index]
    if not known:
        got = predictions["final"]["key"].head(1).tolist()
        raise Refusal(f"predictions: got keys {got}, wanted those of people such as {truth.index[0]}; run `dvc repro`")
    truth = truth.loc[known]
    scored = list(skeleton.scored)
    labels = np.stack(truth["keypoints"].to_list()).astype(np.float64).reshape(len(truth), -1, 3)[:, scored]
    bboxes = np.stack(truth["bbox"].to_list()).astype(np.float64)
    table = pd.DataFrame({"track": truth["video"] + " " + truth["track_id"].astype(str)}, index=truth.index)
    table["joints"] = (labels[:, :, 2] > 0).sum(1)
    for readout, predicted in predictions.items():
        points = np.stack(predicted.set_index("key")["keypoints"].loc[known].to_list()).astype(np.float64)
        points = points.reshape(len(truth), -1, 2)[:, scored]
        table[readout] = oks(labels, points, bboxes=bboxes, sigmas=np.array(skeleton.sigmas)[scored])
    return table.sort_values(["final"], ascending=False, kind="stable")


def oks(
    labels: Float64[np.ndarray, "n j 3"],
    points: Float64[np.ndarray, "n j 2"],
    *,
    bboxes: Float64[np.ndarray, "n 4"],
    sigmas: Float64[np.ndarray, " j"],
) -> Float64[np.ndarray, " n"]:
    """COCO's Object Keypoint Similarity, from 0 to 1; NaN where nothing is labelled."""
    sides = bboxes[:, 2:] - bboxes[:, :2]
    area = np.maximum(sides.prod(axis=1) * AREA, np.finfo(np.float64).eps)
    squares = ((points - labels[:, :, :2]) ** 2).sum(axis=2)
    alike = np.exp(-squares / (2 * area[:, None] * (2 * sigmas) ** 2))
    labelled = labels[:, :, 2] > 0
    count = labelled.sum(axis=1)
    return np.where(count > 0, (alike * labelled).sum(axis=1) / np.maximum(count, 1), np.nan)


def choose(table: pd.DataFrame, config: ReportConfig, *, joints: int) -> dict[str, Rank]:
    """Keys to show, best first: from the top, the middle and the bottom of the order by final OKS, no person twice.

    People with fewer labelled joints than `joints` are passed over.
    """
    order = table[table["joints"] >= joints]
    middle = [order.index[place] for place in _outwards(len(order))]
    chosen: dict[str, Rank] = {}
    shown: set[str] = set()
    wanted: tuple[tuple[Rank, int, list[str]], ...] = (
        ("worst", config.worst, list(order.index[::-1])),
        ("best", config.best, list(order.index)),
        ("median", config.median, middle),
    )
    for rank, count, keys in wanted:
        for key in [key for key in keys if key not in chosen]:
            if list(chosen.values()).count(rank) == count:
                break
            if (track := str(order.loc[key, "track"])) not in shown:
                chosen[key] = rank
                shown.add(track)
    return {key: chosen[key] for key in order.index if key in chosen}


def keyframe_position(folder: Path) -> int:
    """Which frame of a record is the keyframe, from a split's manifest."""
    return list(read_json(folder / "manifest.json")["clip"]).index(0)


def read_clips(folder: Path, keys: Collection[str]) -> dict[str, Clip]:
    """The records of some keys out of a split's tars.

    Raises:
        Refusal: a key is in none of them.
    """
    found = dict(_records(folder, keys))
    missing = sorted(set(keys) - set(found))
    if missing:
        raise Refusal(f"{folder}: got no record {missing[0]}, which has a prediction; run `dvc repro evaluate`")
    return {key: _clip(found[key]) for key in keys}


def _records(folder: Path, keys: Collection[str]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The members of each wanted record; the pictures of others are skipped, not read."""
    for path in sorted(folder.glob("*.tar")):
        found: dict[str, dict[str, bytes]] = {}
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, name = member.name.partition(".")
                file = tar.extractfile(member) if key in keys else None
                if file is not None:
                    found.setdefault(key, {})[name] = file.read()
        yield from found.items()


def _clip(members: dict[str, bytes]) -> Clip:
    count = sum(name.endswith(".jpg") for name in members)
    frames = tuple(members[f"{position}.jpg"] for position in range(count))
    return Clip(frames=frames, sample=json.loads(members["json"]))


def _keys(people: pd.DataFrame) -> list[str]:
    """The keys that the shards give these people."""
    rows = zip(people["video"], people["frame"], people["person"], strict=True)
    return [f"{video}-{frame:06d}-{person:03d}" for video, frame, person in rows]


def _outwards(count: int) -> list[int]:
    """Positions from the middle outwards."""
    return sorted(range(count), key=lambda place: (abs(2 * place - (count - 1)), place))
