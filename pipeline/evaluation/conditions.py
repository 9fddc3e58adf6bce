"""Every method's poses under every degradation of the keyframe, each part of the work done once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from dsn.config import ModelConfig
from dsn.network import DSN, SingleFrame
from dsn.pixels import normalize
from pipeline.evaluation.controls import copy_weights, interpolation_weights, weigh
from pipeline.evaluation.degrade import WORST, Degradation, Kind, degraded_keyframes, is_all_or_nothing
from pipeline.evaluation.predict import Poses, join, locate
from pipeline.shards.batch import ClipBatch
from pipeline.shards.sample import ClipSample

SEEING = ("final", "single_frame")
"""Methods that are shown the keyframe."""
BLIND = ("temporal", "copy", "interpolation")
"""Methods that see supporting frames alone: no degradation of the keyframe changes them."""
METHODS = (*SEEING, *BLIND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """The network under test, and the single-frame control."""

    dual: DSN
    single: SingleFrame
    model: ModelConfig
    """Of the first; the second has the same input."""

    @property
    def clip(self) -> tuple[int, ...]:
        """Offsets of the T frames of a clip, the keyframe's 0 among them."""
        return tuple(sorted((*self.model.clip.offsets, 0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Which degradations there are."""

    kinds: tuple[Kind, ...]
    severities: tuple[int, ...]
    seed: int

    def degradations(self) -> dict[str, Degradation]:
        """Those that differ, by name; the first, `clean`, does nothing."""
        pairs = [(kind, severity) for kind in self.kinds for severity in self.severities]
        first = Degradation(kind=self.kinds[0], severity=0, seed=self.seed)
        return {"clean": first} | {
            condition(kind, severity): Degradation(kind=kind, severity=_told_apart(kind, severity), seed=self.seed)
            for kind, severity in pairs
        }


def condition(kind: Kind, severity: int) -> str:
    """The name of a degradation; those that do the same have the same."""
    return "clean" if severity == 0 else f"{kind}-{_told_apart(kind, severity)}"


def _told_apart(kind: Kind, severity: int) -> int:
    return WORST if is_all_or_nothing(kind) else severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Poses by method and condition; a blind method has its one result under `clean`."""

    samples: tuple[ClipSample, ...]
    poses: dict[str, dict[str, Poses]]

    def of(self, method: str, name: str) -> Poses:
        """The poses of a method under a condition."""
        return self.poses[method]["clean" if method in BLIND else name]


def select(batch: ClipBatch, keys: frozenset[str]) -> ClipBatch:
    """The samples of a batch that are wanted, in their order."""
    rows = [row for row, key in enumerate(batch.keys) if key in keys]
    return replace(
        batch,
        keys=tuple(batch.keys[row] for row in rows),
        frames=batch.frames[rows],
        keypoints=batch.keypoints[rows],
        visible=batch.visible[rows],
        to_source=batch.to_source[rows],
        head_size=batch.head_size[rows],
        bbox_size=batch.bbox_size[rows],
        samples=tuple(batch.samples[row] for row in rows),
    )


def run_all(networks: Networks, batches: Iterable[ClipBatch], *, grid: Grid) -> Outcome:
    """Every method on every sample under every condition of the grid."""
    samples: list[ClipSample] = []
    parts: dict[str, dict[str, list[Poses]]] = {method: {} for method in METHODS}
    networks.dual.eval()
    networks.single.eval()
    for batch in batches:
        samples += batch.samples
        for method, name, poses in _run_batch(networks, batch, grid=grid):
            parts[method].setdefault(name, []).append(poses)
    joined = {method: {name: join(found) for name, found in by_name.items()} for method, by_name in parts.items()}
    return Outcome(samples=tuple(samples), poses=joined)


@torch.inference_mode()
def _run_batch(networks: Networks, batch: ClipBatch, *, grid: Grid) -> Iterator[tuple[str, str, Poses]]:
    """(method, condition, poses) of one batch."""
    model = networks.model
    memory = networks.dual.remember(_tokens(networks.dual, _supporting(batch, networks.model)))
    for name, how in grid.degradations().items():
        keyframe = degraded_keyframes(batch, how, clip=networks.clip)
        answer = networks.dual.answer(_tokens(networks.dual, keyframe[:, None])[:, 0], memory=memory)
        yield "final", name, locate(answer.final, batch.to_source, model=model)
        alone = networks.single(normalize(keyframe)).final
        yield "single_frame", name, locate(alone, batch.to_source, model=model)
        if name == "clean":
            assert answer.temporal is not None
            yield "temporal", name, locate(answer.temporal, batch.to_source, model=model)
    for method, poses in _neighbours(networks, batch).items():
        yield method, "clean", poses


def _supporting(batch: ClipBatch, model: ModelConfig) -> UInt8[Tensor, "B S 3 H W"]:
    position = model.clip.keyframe_position
    return torch.cat([batch.frames[:, :position], batch.frames[:, position + 1 :]], dim=1)


def _tokens(network: DSN, frames: UInt8[Tensor, "B T 3 H W"]) -> Tensor:
    tokens: Tensor = network.backbone(normalize(frames).flatten(0, 1))
    return tokens.reshape(*frames.shape[:2], *tokens.shape[1:])


def _neighbours(networks: Networks, batch: ClipBatch) -> dict[str, Poses]:
    """The controls made of the single-frame network's poses at supporting frames; it runs on those needed alone."""
    times = supporting_times(batch.samples, position=networks.model.clip.keyframe_position)
    weights = {"copy": copy_weights(times), "interpolation": interpolation_weights(times)}
    needed = np.flatnonzero(np.any(list(weights.values()), axis=(0, 1)))
    frames = _supporting(batch, networks.model)[:, torch.from_numpy(needed)]
    maps = networks.single(normalize(frames.flatten(0, 1))).final
    affines = batch.to_source.repeat_interleave(len(needed), dim=0)
    found = locate(maps, affines, model=networks.model)
    shape = (len(batch.samples), len(needed))
    keypoints = found.keypoints.reshape(*shape, *found.keypoints.shape[1:])
    scores = found.scores.reshape(*shape, -1)
    return {name: weigh(by[:, needed], keypoints=keypoints, scores=scores) for name, by in weights.items()}


def supporting_times(samples: Sequence[ClipSample], *, position: int) -> Int64[np.ndarray, "N S"]:
    """When the supporting frames that were really used stand, in frames after the keyframe."""
    used = np.array([sample.frames_used for sample in samples], dtype=np.int64)
    keyframes = np.array([sample.frame for sample in samples], dtype=np.int64)
    return np.delete(used, position, axis=1) - keyframes[:, None]
