"""Predictions: what a network's readouts say, in pixels of the source frames."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float64, UInt8
from torch import Tensor, nn

from dsn.checkpoint import Loaded
from dsn.codec import decode, flip
from dsn.config import ModelConfig
from dsn.network import DSN, SingleFrame
from dsn.parts import HeatmapConfig
from dsn.pixels import normalize, split_clip
from dsn.readouts import Readouts
from dsn.skeleton import Pairs, Skeleton
from pipeline.evaluation.joint_scores import joint_scores
from pipeline.refusal import Refusal
from pipeline.shards.batch import ClipBatch
from pipeline.shards.manifest import Manifest
from pipeline.shards.sample import ClipSample

Readout = Literal["final", "temporal", "visual", "keypoint", "dense"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Poses:
    """Poses of N people."""

    keypoints: Float64[np.ndarray, "N K 2"]
    """In pixels of the source frame."""
    scores: Float64[np.ndarray, "N K"]
    """The heatmaps' maxima; the official AP sorts by them."""


def refuse_misfit(model: Loaded, manifest: Manifest) -> None:
    """Refuse shards that the model was not made for.

    Raises:
        Refusal: the shards have another skeleton, other offsets or another input size.
    """
    if manifest.skeleton != model.skeleton:
        raise Refusal(f"shards of {manifest.split}: {_told_apart(manifest.skeleton, model.skeleton)}")
    offsets = tuple(offset for offset in manifest.clip if offset != 0)
    facts = {
        "clip.offsets": (offsets, model.config.clip.offsets),
        "input_size": (manifest.recipe.input_size, model.config.input_size),
    }
    for name, (got, wanted) in facts.items():
        if got != wanted:
            raise Refusal(
                f"shards of {manifest.split}: {name}: got {got}, wanted the model's {wanted}; run `dvc repro`"
            )


def _told_apart(data: Skeleton, model: Skeleton) -> str:
    """That a model was trained on another skeleton, both named."""
    joints = sorted(set(data.joints) ^ set(model.joints))
    how = f"they differ in the joints {joints}" if joints else "their joints are numbered or paired otherwise"
    return (
        f"got skeleton {data.name} of {len(data.joints)} joints, wanted the model's, {model.name} of "
        f"{len(model.joints)} joints: {how}; train on this data by `dvc repro`, or take a model of its skeleton"
    )


def predict(
    network: DSN | SingleFrame,
    batches: Iterable[ClipBatch],
    *,
    model: ModelConfig,
    readouts: Sequence[Readout],
    mirror: Pairs | None = None,
) -> dict[str, pd.DataFrame]:
    """One table (see `table`) for each readout, a row for each sample in the batches' order.

    Args:
        network: in any mode; it is switched to evaluation.
        batches: of whole clips.
        model: what the network was built from.
        readouts: which heatmaps are looked at.
        mirror: the skeleton's flip pairs where every clip is to be read mirrored as well; see `unmirrored`.

    Raises:
        ValueError: the network has no such readout.
    """
    samples: list[ClipSample] = []
    found: dict[str, list[Poses]] = {name: [] for name in readouts}
    for batch in batches:
        samples += batch.samples
        frames = batch.frames if mirror is None else with_mirrored(batch.frames)
        answer = read(network.eval(), frames, model=model)
        for name in readouts:
            maps = unmirrored(heatmaps(answer, name), mirror=mirror, config=model.heatmap)
            found[name].append(locate(maps, batch.to_source, model=model))
    return {name: table(samples, join(parts)) for name, parts in found.items()}


@torch.inference_mode()
def read(network: DSN | SingleFrame, frames: UInt8[Tensor, "B T 3 H W"], *, model: ModelConfig) -> Readouts:
    """The readouts for whole clips; a single-frame network is shown the keyframe alone."""
    keyframe, supporting = split_clip(shown(network, frames), keyframe_position=model.clip.keyframe_position)
    answer: Readouts = network(keyframe) if isinstance(network, SingleFrame) else network(keyframe, supporting)
    return answer


def shown(network: nn.Module, frames: UInt8[Tensor, "*n 3 H W"]) -> Float[Tensor, "*n 3 H W"]:
    """Frames as a network takes them, on its device."""
    return normalize(frames.to(next(network.parameters()).device))


def with_mirrored(frames: UInt8[Tensor, "B T 3 H W"]) -> UInt8[Tensor, "B2 T 3 H W"]:
    """Clips, and behind them the same clips mirrored."""
    return torch.cat([frames, frames.flip(-1)])


def unmirrored(
    maps: Float[Tensor, "B2 K h w"], *, mirror: Pairs | None, config: HeatmapConfig
) -> Float[Tensor, "B K h w"]:
    """The flip test: the mean of the heatmaps of clips and of their mirror images, see `with_mirrored`.

    Without flip pairs there are no mirror images, and the heatmaps stay as they are. Cells of the encoding `gaussian`
    do not lie symmetrically in the crop, so mirrored maps stand 3/4 of a cell too far left; shifted by one cell to the
    right, as in published code, they stand 1/4 too far right.
    """
    if mirror is None:
        return maps
    straight, turned = maps.chunk(2)
    turned = flip(turned, flip_pairs=mirror)
    if config.encoding == "gaussian":
        turned = torch.cat([turned[..., :1], turned[..., :-1]], dim=-1)
    return (straight + turned) / 2


def heatmaps(readouts: Readouts, name: Readout) -> Float[Tensor, "B K h w"]:
    """The heatmaps of one readout; of the dense one, the mean over the supporting frames.

    Raises:
        ValueError: the network has no such readout.
    """
    maps: Tensor | None = getattr(readouts, name)
    if maps is None:
        raise ValueError(f"readouts: got {name}, wanted one that the network has")
    return maps.mean(dim=1) if name == "dense" else maps


@torch.inference_mode()
def locate(maps: Float[Tensor, "B K h w"], to_source: Float[Tensor, "B 2 3"], *, model: ModelConfig) -> Poses:
    """The poses that heatmaps show, taken to the source frame by each crop's affine."""
    keypoints, scores = decode(maps.float().cpu(), input_size=model.input_size, config=model.heatmap)
    affine = to_source.double().numpy()
    return Poses(keypoints=to_frame(keypoints.double().numpy(), affine), scores=scores.double().numpy())


def to_frame(
    keypoints: Float64[np.ndarray, "N K 2"], to_source: Float64[np.ndarray, "N 2 3"]
) -> Float64[np.ndarray, "N K 2"]:
    """Points (x, y) of each crop in pixels of its source frame."""
    points: Float64[np.ndarray, "N K 2"] = keypoints @ to_source[:, :, :2].transpose(0, 2, 1) + to_source[:, None, :, 2]
    return points


def join(parts: Sequence[Poses]) -> Poses:
    """Poses put one after the other."""
    return Poses(
        keypoints=np.concatenate([part.keypoints for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
    )


def table(samples: Sequence[ClipSample], poses: Poses) -> pd.DataFrame:
    """One row a person: key, video, frame, frame_id, person, track_id, keypoints, scores, maxima and box_score.

    A row's keypoints are 2K numbers, x, y in source pixels; its scores are K, of the rule `heatmap_times_box`: the
    joints' `maxima` times `box_score`, the detector's, which is 1 for ground truth. `joint_scores.rescored` gives those
    of other rules.
    """
    detector = np.array([1.0 if sample.score is None else sample.score for sample in samples])
    rows = pd.DataFrame(
        [(s.key, s.video, s.frame, s.frame_id, s.person, s.track_id) for s in samples],
        columns=["key", "video", "frame", "frame_id", "person", "track_id"],
    )
    return rows.assign(
        keypoints=list(poses.keypoints.reshape(len(rows), -1)),
        scores=list(joint_scores(poses.scores, detector, rule="heatmap_times_box")),
        maxima=list(poses.scores),
        box_score=detector,
    )
