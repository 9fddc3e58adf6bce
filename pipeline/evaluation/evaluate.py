"""A model's readouts scored on val, beside the mean pose: by the official AP and OKS-AP, or by OKS-AP and PCK.

The official protocol knows PoseTrack's joints alone: with any other skeleton OKS-AP stands in its place.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from dsn.checkpoint import Loaded
from pipeline.artifacts import read_json, resolved, write_json
from pipeline.device import usable
from pipeline.evaluation.breakdown import ground_of
from pipeline.evaluation.controls import mean_pose, place
from pipeline.evaluation.details import by_rule, in_full, intervals, label_version, write_details
from pipeline.evaluation.efficiency import efficiency
from pipeline.evaluation.joint_scores import ScoreRule, rescored
from pipeline.evaluation.loading import annotation_files
from pipeline.evaluation.numbers import or_none
from pipeline.evaluation.oks import oks_ap
from pipeline.evaluation.pck import PCK, grouped, pck
from pipeline.evaluation.poseval import score_folders
from pipeline.evaluation.predict import Readout, predict, refuse_misfit, table
from pipeline.evaluation.progress import told
from pipeline.evaluation.scorer import OKS_AP, POSETRACK_AP, annotated_people, by_video, scorer_of
from pipeline.evaluation.submission import write_predictions
from pipeline.posetrack.index import Index, read_index
from pipeline.posetrack.official import is_evaluated
from pipeline.shards.batch import ClipBatch
from pipeline.shards.manifest import read_manifest
from pipeline.shards.reader import evaluation_batches, read_samples
from pipeline.tracking.lineage import data_hash

LOG = logging.getLogger(__name__)

PROTOCOLS = {
    POSETRACK_AP: "official PoseTrack AP",
    OKS_AP: "OKS-AP and PCK@0.2 of the bbox; the official PoseTrack AP knows no such skeleton",
}
"""What metrics.json says was measured, by the metric."""
BY_JOINT = {POSETRACK_AP: POSETRACK_AP, OKS_AP: PCK}
"""What joints are scored by beside the metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateConfig:
    """How the registered model is scored (section `evaluate`)."""

    batch_size: int
    """Clips in one forward pass."""
    device: str
    """Where the network computes: `cpu`, `cuda` or `cuda:N`."""
    readouts: tuple[Readout, ...]
    """Which of the network's readouts are scored; those that training does not supervise say nothing."""

    flip_test: bool
    """Whether the final readout is scored a second time, with each clip's mirror image read too and both averaged; that
    number stands apart, as `final_flip_test`."""
    joint_score: ScoreRule
    """What a joint's score is made of; the final readout's AP under every rule is told beside."""
    draws: int
    """Draws of videos behind the intervals."""
    seed: int
    """Decides them."""

    def __post_init__(self) -> None:
        """Refuse what scores nothing."""
        if self.batch_size < 1:
            raise ValueError(f"batch_size: got {self.batch_size}, wanted at least 1")
        if "final" not in self.readouts or len(set(self.readouts)) < len(self.readouts):
            raise ValueError(f"readouts: got {list(self.readouts)}, wanted `final` among them and none twice")
        if self.draws < 1:
            raise ValueError(f"draws: got {self.draws}, wanted at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What predictions are scored against."""

    folder: Path
    """Official files, one a video."""
    index: Index

    @property
    def people(self) -> pd.DataFrame:
        """The index's annotated people in val."""
        return annotated_people(self.index)

    @property
    def is_official(self) -> bool:
        """Whether the official protocol applies."""
        return is_evaluated(self.index.skeleton)


def evaluate(config: EvaluateConfig, model: Loaded, *, index: Path, train: Path, val: Path, out: Path) -> None:
    """Score `model` on val; write metrics.json, joints.csv, breakdown.csv, pckh.csv and predictions/ into `out`.

    Args:
        config: what is scored.
        model: the network under test.
        index: folder of the index, with the official ground truth.
        train: shards of train, whose labels give the mean pose.
        val: shards of val.
        out: where the results go.

    Raises:
        Refusal: an input is missing, or the shards are not what the model was made for.
    """
    manifest = read_manifest(val)
    refuse_misfit(model, manifest)
    model.network.to(usable(config.device, key="evaluate.device"))
    truth = Truth(folder=index / "truth" / "val", index=read_index(index))
    size, scorer = model.config.input_size, scorer_of(truth.index, truth.folder)
    is_detected = manifest.boxes is not None
    samples = [sample for sample in read_samples(val) if not is_detected or sample.score is not None]
    bbox: Literal["detected", "keyframe"] = "detected" if is_detected else "keyframe"
    found = _predictions(config, model, val, bbox=bbox, total=len(samples))
    tables = {name: rescored(rows, config.joint_score) for name, rows in found.items()}
    control = table(samples, place(mean_pose(read_samples(train), input_size=size), samples, input_size=size))
    scores = {name: score_table(rows, truth, out=out / "predictions", name=name) for name, rows in tables.items()}
    controls = {"mean_pose": score_table(control, truth, out=out / "predictions", name="mean_pose")}
    write_joints(out / "joints.csv", scores, metric=BY_JOINT[scorer.metric])
    ground = None if is_detected else ground_of(samples, index=truth.index, folder=truth.folder)
    write_details(out, tables, ground, draws=config.draws, seed=config.seed)
    boxes = str(manifest.boxes or "ground truth")
    write_json(
        out / "metrics.json",
        {
            "data_hash": data_hash(read_json(val / "manifest.json")),
            "boxes": boxes,
            "box_source": asdict(manifest.boxes) if manifest.boxes else None,
            "metric": scorer.metric,
            "metric_in_full": in_full(scorer.metric, boxes=boxes, labels=label_version(index)),
            "protocol": PROTOCOLS[scorer.metric],
            "labels": {"files": len(annotation_files(truth.folder)), "frames": scores["final"]["frames"]},
            "people": len(samples),
            "readouts": {name: summary(score) for name, score in scores.items()},
            "controls": {name: summary(score) for name, score in controls.items()},
            "margin_over_mean_pose": difference(scores["final"], controls["mean_pose"]),
            "sequences": by_video(scorer, tables["final"]),
            "intervals": intervals(scorer, tables | {"mean_pose": control}, draws=config.draws, seed=config.seed),
            "joint_score": config.joint_score,
            "joint_scores": by_rule(scorer, tables["final"]),
            "efficiency": efficiency(model),
            "config": resolved(evaluate=config),
        },
    )


def _predictions(
    config: EvaluateConfig, model: Loaded, val: Path, *, bbox: Literal["detected", "keyframe"], total: int
) -> dict[str, pd.DataFrame]:
    def clips(what: str) -> Iterator[ClipBatch]:
        size = model.config.input_size
        batches = evaluation_batches(val, input_size=size, batch_size=config.batch_size, bbox=bbox)
        return told(batches, total=total, what=what)

    tables = predict(model.network, clips("evaluate"), model=model.config, readouts=config.readouts)
    if config.flip_test:
        mirror = model.skeleton.flip_pairs
        flipped = predict(model.network, clips("flip test"), model=model.config, readouts=("final",), mirror=mirror)
        tables["final_flip_test"] = flipped["final"]
    return tables


def score_table(rows: pd.DataFrame, truth: Truth, *, out: Path, name: str) -> dict[str, Any]:
    """Write predictions to `out`/`name`.parquet and, as PoseTrack18 files, to `out`/`name`/, and score those files."""
    write_predictions(rows, truth.folder, out_folder=out / name, skeleton=truth.index.skeleton)
    rows.to_parquet(out / f"{name}.parquet", index=False)
    oks = oks_ap(truth.people, rows, skeleton=truth.index.skeleton)
    score = _official(truth, out / name) if truth.is_official else _unofficial(truth, rows, ap=oks["AP"])
    told = f"{POSETRACK_AP} {_shown(score['ap']['Total'])}, " if truth.is_official else ""
    LOG.info("%s: %s%s %.1f", name, told, OKS_AP, oks["AP"])
    return {**score, "oks": oks}


def _official(truth: Truth, predictions: Path) -> dict[str, Any]:
    """Without MOTA where people were detected: nobody has tracked them."""
    result = score_folders(truth.folder, predictions)
    has_tracks = result["mot"] is not None and truth.index.boxes is None
    return {
        "frames": result["n_gt_frames_evaluated"],
        "joints": {joint: ap for joint, ap in result["ap"].items() if joint != "total"},
        "ap": result["ap_grouped"],
        "mota": result["mot"]["mota"]["total"] if has_tracks else None,
    }


def _unofficial(truth: Truth, rows: pd.DataFrame, *, ap: float) -> dict[str, Any]:
    """The shape of `_official`: OKS-AP, and PCK by joint; not of detected people, since nothing says who is who."""
    skeleton, people = truth.index.skeleton, truth.people
    scored = [skeleton.joints[joint] for joint in skeleton.scored]
    by_joint = pck(people, rows, skeleton=skeleton) if truth.index.boxes is None else dict.fromkeys(scored)
    return {
        "frames": len(people[["video", "frame"]].drop_duplicates()),
        "joints": by_joint,
        "ap": {"Total": or_none(ap)},
        "mota": None,
        "pck": grouped(by_joint, skeleton=skeleton),
    }


def summary(score: Mapping[str, Any]) -> dict[str, Any]:
    """A score as metrics.json has it."""
    oks = {f"oks_{name.lower()}": or_none(score["oks"][name]) for name in ("AP", "AP50", "AP75", "AR")}
    return {name: score[name] for name in ("ap", "mota", "pck") if name in score} | oks


def difference(final: Mapping[str, Any], control: Mapping[str, Any]) -> float | None:
    """How much more AP one has than the other; None where either has none."""
    first, second = final["ap"]["Total"], control["ap"]["Total"]
    return None if first is None or second is None else float(first - second)


def write_joints(path: Path, scores: Mapping[str, Mapping[str, Any]], *, metric: str) -> None:
    """One row for each readout and joint: readout, joint, metric, score."""
    rows = [(name, joint, metric, value) for name, score in scores.items() for joint, value in score["joints"].items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=["readout", "joint", "metric", "score"]).to_csv(path, index=False, lineterminator="\n")


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
