"""What the stages before left for the report, read and checked for presence."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from dsn import skeleton as skeletons
from dsn.skeleton import Skeleton
from pipeline.artifacts import read_json
from pipeline.refusal import Refusal

Value = TypeVar("Value")

OFFICIAL = "PoseTrack AP"
"""The metric of stages evaluate and stress where the official protocol knows the skeleton."""
RUNS = ("pretrain", "control", "train")
"""The training runs, in the order in which they are made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the other stages' outputs lie."""

    index: Path
    pretrain: Path
    tune: Path
    control: Path
    train: Path
    evaluation: Path
    stress: Path
    registered: Path
    promotion: Path
    val: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The outputs, as they were written; JSON as plain values."""

    skeleton: Skeleton
    checks: dict[str, Any]
    """What the data is, and what was found in it."""
    people: pd.DataFrame
    """The index's table of people."""
    metrics: dict[str, Any]
    """Scores of the evaluation."""
    joints: pd.DataFrame
    """readout, joint, metric, score."""
    breakdown: pd.DataFrame
    """readout, by, part, people, ap, pckh_T, calibration_error, jitter; no rows where people were detected."""
    pckh: pd.DataFrame
    """readout, threshold, pckh, low, high; likewise."""
    predictions: dict[str, pd.DataFrame]
    """By readout: key, keypoints (2K source pixels), scores and more."""
    stress: dict[str, Any]
    curves: pd.DataFrame
    """Of the stress test's rows, those of the claim: method, kind, severity, metric, ap, retention and more."""
    examples: list[dict[str, Any]]
    """Degraded keyframes with the methods' poses."""
    pictures: Path
    """The folder that the examples' pictures are in."""
    histories: dict[str, pd.DataFrame]
    """By run: step, losses, scores on select."""
    trials: pd.DataFrame
    best: dict[str, Any]
    start: str | None
    """SHA-256 of the weights that pretraining started from; None where these were random."""
    run: dict[str, Any]
    registered: dict[str, Any]
    promotion: dict[str, Any]
    val: Path
    """Folder of val's shards."""

    @property
    def metric(self) -> str:
        """What the AP is called: OKS-AP where the official protocol does not know the skeleton."""
        return str(self.metrics["metric"])

    @property
    def is_official(self) -> bool:
        """Whether it is the official protocol's."""
        return self.metric == OFFICIAL

    @property
    def is_detected(self) -> bool:
        """Whether the evaluation's people were found by a detector; nothing says which annotated person each one is."""
        return self.metrics["box_source"] is not None


def read_inputs(sources: Sources) -> Inputs:
    """Read everything.

    Raises:
        Refusal: something is missing; the message names it, and the stage that writes it.
    """
    return Inputs(
        skeleton=_read(skeletons_from, sources.index / "skeleton.json", stage="prepare"),
        checks=_read(read_json, sources.index / "checks.json", stage="prepare"),
        people=_read(pd.read_parquet, sources.index / "people.parquet", stage="prepare"),
        metrics=_read(read_json, sources.evaluation / "metrics.json", stage="evaluate"),
        joints=_read(pd.read_csv, sources.evaluation / "joints.csv", stage="evaluate"),
        breakdown=_read(pd.read_csv, sources.evaluation / "breakdown.csv", stage="evaluate"),
        pckh=_read(pd.read_csv, sources.evaluation / "pckh.csv", stage="evaluate"),
        predictions=_predictions(sources.evaluation / "predictions"),
        stress=_read(read_json, sources.stress / "metrics.json", stage="stress"),
        curves=_read(_headline, sources.stress / "curves.csv", stage="stress"),
        examples=_read(read_json, sources.stress / "examples" / "examples.json", stage="stress"),
        pictures=sources.stress / "examples",
        histories={run: _read(pd.read_csv, getattr(sources, run) / "history.csv", stage=run) for run in RUNS},
        trials=_read(pd.read_csv, sources.tune / "trials.csv", stage="tune"),
        best=_read(read_json, sources.tune / "best.json", stage="tune"),
        start=_read(read_json, sources.pretrain / "run.json", stage="pretrain")["start"],
        run=_read(read_json, sources.train / "run.json", stage="train"),
        registered=_read(read_json, sources.registered, stage="register"),
        promotion=_read(read_json, sources.promotion, stage="promote"),
        val=_present(sources.val / "manifest.json", stage="shard").parent,
    )


def skeletons_from(path: Path) -> Skeleton:
    """The skeleton in a file."""
    return skeletons.from_dict(read_json(path))


def _headline(path: Path) -> pd.DataFrame:
    """Degraded keyframes at the stride of training, everyone, all joints."""
    table = pd.read_csv(path)
    wanted = (table["target"] == "keyframe") & (table["stride"] == 1)
    return table[wanted & (table["motion"] == "all") & (table["joint"] == "all")].reset_index(drop=True)


def _read(reader: Callable[[Path], Value], path: Path, *, stage: str) -> Value:
    return reader(_present(path, stage=stage))


def _present(path: Path, *, stage: str) -> Path:
    if not path.is_file():
        raise Refusal(f"{path}: no such file, wanted an output of stage {stage}; run `dvc repro {stage}`")
    return path


def _predictions(folder: Path) -> dict[str, pd.DataFrame]:
    tables = {path.stem: pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))}
    if "final" not in tables:
        raise Refusal(f"{folder}: got readouts {list(tables)}, wanted final.parquet; run `dvc repro evaluate`")
    return tables
