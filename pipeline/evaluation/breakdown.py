"""Scores broken down: by motion, size, occlusion, video and joint, with PCKh curves, jitter and calibration.

For annotated people in their own boxes: nothing says which annotated person a detected one is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int64

from dsn.skeleton import Skeleton
from pipeline.evaluation.errors import (
    THRESHOLDS,
    Labels,
    acceleration_errors,
    calibration_error,
    conditional,
    errors,
    labels_of,
    pckh_curve,
)
from pipeline.evaluation.motion import BINS, EVERYONE, motion
from pipeline.evaluation.predict import Poses
from pipeline.evaluation.scorer import annotated_people, scorer_of_some
from pipeline.evaluation.statistics import drawn_ratio, interval
from pipeline.posetrack.index import Index
from pipeline.posetrack.official import is_evaluated
from pipeline.shards.sample import ClipSample

SIZES = {"[0, 96)": (0, 96), "[96, 192)": (96, 192), "[192, 384)": (192, 384), "[384, inf)": (384, np.inf)}
"""Longer side of a person's bbox in source pixels, by name."""
HIDDEN = "with a hidden joint"
HIDDEN_JOINTS = "hidden joints alone"

Mask = Bool[np.ndarray, " N"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The N annotated people whose poses are broken down."""

    samples: tuple[ClipSample, ...]
    labels: Labels
    hidden: Bool[np.ndarray, "N K"]
    """Labelled joints that the source calls occluded; none where it does not say."""
    index: Index
    folder: Path
    """Official files of val."""
    speed: Float64[np.ndarray, " N"]
    """Head sizes a frame; NaN where it is not known."""


def ground_of(samples: Sequence[ClipSample], *, index: Index, folder: Path) -> Ground:
    """What is known of the people at the keyframes `samples`."""
    labels = labels_of(samples, skeleton=index.skeleton, by_head=is_evaluated(index.skeleton))
    people = annotated_people(index)
    return Ground(
        samples=tuple(samples),
        labels=labels,
        hidden=_hidden(samples, people, skeleton=index.skeleton) & labels.labeled,
        index=index,
        folder=folder,
        speed=motion(samples, labels, people=people),
    )


def _hidden(samples: Sequence[ClipSample], people: pd.DataFrame, *, skeleton: Skeleton) -> Bool[np.ndarray, "N K"]:
    names = zip(people["video"], people["frame"], people["person"], strict=True)
    known = dict(zip(names, people["occluded"], strict=True))
    nobody = [None] * len(skeleton.joints)
    told = [known.get((sample.video, sample.frame, sample.person), nobody) for sample in samples]
    return np.array([[value is not None and bool(value) for value in row] for row in told], dtype=np.bool_)


def parts_of(ground: Ground) -> dict[tuple[str, str], Mask]:
    """Who is in each part, by what it is a part of and its name; parts in which nobody is are left out."""
    boxes = np.array([sample.bbox for sample in ground.samples])
    side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    parts = {("motion", name): (ground.speed >= low) & (ground.speed < high) for name, (low, high) in BINS.items()} | {
        ("size", name): (side >= low) & (side < high) for name, (low, high) in SIZES.items()
    }
    parts["occlusion", HIDDEN] = ground.hidden.any(axis=1)
    return {name: who for name, who in parts.items() if who.any()}


def breakdown(tables: Mapping[str, pd.DataFrame], ground: Ground) -> list[dict[str, Any]]:
    """A row for each readout and part: people, metric, ap, and what `qualities` tells.

    Args:
        tables: predictions by readout (see `predict.table`), of everyone in `ground`.
        ground: who they are.
    """
    poses = {name: poses_of(rows, ground.samples) for name, rows in tables.items()}
    rows = [row for name in tables for row in _plain(name, poses[name], ground)]
    for (by, part), who in parts_of(ground).items():
        some = {name: _some(table, who, ground) for name, table in tables.items()}
        scorer = scorer_of_some(ground.index, ground.folder, rows=next(iter(some.values())))
        once = np.ones((1, len(scorer.videos)), dtype=np.int64)
        for name, table in some.items():
            ap = {"metric": scorer.metric, "ap": float(scorer.drawn(table, once)[0])}
            rows.append(_named(name, by, part, int(who.sum())) | ap | qualities(poses[name], ground.labels, who=who))
    return rows


def _plain(name: str, poses: Poses, ground: Ground) -> Iterator[dict[str, Any]]:
    """Parts without an AP of their own here: everyone, each video, each joint, and hidden joints."""
    labels, error = ground.labels, errors(poses, ground.labels)
    everyone = np.ones(len(ground.samples), dtype=np.bool_)
    yield _named(name, EVERYONE, EVERYONE, len(everyone)) | qualities(poses, labels, who=everyone)
    for number, video in enumerate(sorted({sample.video for sample in ground.samples})):
        who = labels.video == number
        yield _named(name, "video", video, int(who.sum())) | qualities(poses, labels, who=who)
    for joint in ground.index.skeleton.scored:
        known = int(labels.labeled[:, joint].sum())
        yield _named(name, "joint", ground.index.skeleton.joints[joint], known) | _pckh(error[:, [joint]])
    if ground.hidden.any():
        hidden = np.where(ground.hidden, error, np.nan)
        yield _named(name, "occlusion", HIDDEN_JOINTS, int(ground.hidden.any(axis=1).sum())) | _pckh(hidden)


def _named(readout: str, by: str, part: str, people: int) -> dict[str, Any]:
    return {"readout": readout, "by": by, "part": part, "people": people}


def qualities(poses: Poses, labels: Labels, *, who: Mask) -> dict[str, float]:
    """PCKh at every threshold, calibration error and jitter of some of the people."""
    some = Poses(keypoints=poses.keypoints[who], scores=poses.scores[who])
    of_them = Labels(**{name: value[who] for name, value in _fields(labels).items()})
    error, jitter = errors(some, of_them), acceleration_errors(some, of_them)
    return {
        **_pckh(error),
        "calibration_error": calibration_error(some.scores, error),
        "jitter": float(np.nanmean(jitter)) if (~np.isnan(jitter)).any() else np.nan,
    }


def _fields(labels: Labels) -> dict[str, Any]:
    return {name: getattr(labels, name) for name in Labels.__dataclass_fields__}


def _pckh(error: Float64[np.ndarray, "N K"]) -> dict[str, float]:
    return {f"pckh_{threshold:.2f}": share for threshold, share in pckh_curve(error).items()}


def curves(
    tables: Mapping[str, pd.DataFrame], ground: Ground, *, times: Int64[np.ndarray, "R V"]
) -> list[dict[str, Any]]:
    """PCKh by readout and threshold with its interval: readout, threshold, pckh, low, high.

    `times` are draws of the videos in which somebody is, in order of name; see `statistics.draw_videos`.
    """
    rows = []
    for name, table in tables.items():
        error = errors(poses_of(table, ground.samples), ground.labels)
        for threshold in THRESHOLDS:
            near, whole = conditional(error <= threshold, ground.labels.labeled, ground.labels)
            found = asdict(interval(100 * drawn_ratio(near, whole, times=times)))
            rows.append({"readout": name, "threshold": threshold, "pckh": found.pop("value"), **found})
    return rows


def poses_of(rows: pd.DataFrame, samples: Sequence[ClipSample]) -> Poses:
    """The poses of a table in the order of `samples`, all of whom are in it."""
    ordered = rows.set_index("key").loc[[sample.key for sample in samples]]
    return Poses(
        keypoints=np.array(ordered["keypoints"].tolist(), dtype=np.float64).reshape(len(samples), -1, 2),
        scores=np.array(ordered["scores"].tolist(), dtype=np.float64),
    )


def _some(rows: pd.DataFrame, who: Mask, ground: Ground) -> pd.DataFrame:
    keys = {sample.key for sample, is_in in zip(ground.samples, who, strict=True) if is_in}
    return rows[rows["key"].isin(keys)]
