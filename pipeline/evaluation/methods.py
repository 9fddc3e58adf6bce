"""The methods that the stress test compares: the network's readouts, and the controls that they have to beat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor, nn

from dsn.config import ModelConfig
from dsn.network import DSN, Memory, SingleFrame
from pipeline.evaluation.conditions import Condition
from pipeline.evaluation.controls import copy_weights, interpolation_weights, weigh
from pipeline.evaluation.predict import Poses, locate, shown
from pipeline.shards.batch import ClipBatch
from pipeline.shards.sample import ClipSample

KEYFRAME, SUPPORTING = "keyframe", "supporting"
BOTH = frozenset({KEYFRAME, SUPPORTING})

SEES: Mapping[str, frozenset[str]] = {
    "final": BOTH,
    "temporal": frozenset({SUPPORTING}),
    "visual": BOTH,
    "single_frame": frozenset({KEYFRAME}),
    "copy": frozenset({SUPPORTING}),
    "interpolation": frozenset({SUPPORTING}),
    "mean_heatmaps": frozenset({SUPPORTING}),
    "cut": BOTH,
    "still": frozenset({KEYFRAME}),
    "shuffled": BOTH,
    "single_stream": BOTH,
}
"""Every method, and which frames it is shown: what is done to the others cannot change it."""
READOUTS = ("final", "temporal", "visual")
"""The network's own; all other methods are controls."""
CONTROLS = tuple(method for method in SEES if method not in READOUTS)
"""`single_frame` is the network trained on keyframes alone; `copy` and `interpolation` are made of its poses at the
nearest supporting frames, and `mean_heatmaps` of its heatmaps at all of them; `cut` is the network under test with
zeros where its temporal stream's features and heatmaps were, `still` with the keyframe in place of each supporting
frame, and `shuffled` with these in another order; `single_stream` is one that sees all frames in one stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """The network under test, and those that it is compared with."""

    dual: DSN
    single: SingleFrame
    """The single-frame control."""
    model: ModelConfig
    """Of the first; the others have the same input."""
    stream: DSN | None
    """One stream that sees all frames, trained with keyframe dropout; None where there is none to compare with."""

    @property
    def clip(self) -> tuple[int, ...]:
        """Offsets of the T frames of a clip, the keyframe's 0 among them."""
        return tuple(sorted((*self.model.clip.offsets, 0)))

    def evaluate(self) -> None:
        """Switch all of them to evaluation."""
        for network in self._all():
            network.eval()

    def to(self, device: torch.device) -> None:
        """Move all of them to a device."""
        for network in self._all():
            network.to(device)

    def _all(self) -> list[nn.Module]:
        return [network for network in (self.dual, self.single, self.stream) if network is not None]


def touched(condition: Condition) -> frozenset[str]:
    """Which frames a condition changes."""
    if condition.degradation is None:
        return frozenset()
    target = condition.degradation.target
    return BOTH if target == "all" else frozenset({target})


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What the networks make of the supporting frames; it serves every keyframe shown with them."""

    memory: Memory
    shuffled: Memory
    stream: Memory | None


@torch.inference_mode()
def support(networks: Networks, supporting: UInt8[Tensor, "B S 3 H W"], *, keys: Sequence[str]) -> Support:
    """Watch the supporting frames; `keys` name the samples, which are shuffled each in its own way."""
    tokens = _tokens(networks.dual, supporting)
    order = torch.from_numpy(np.stack([shuffle(key, count=supporting.shape[1]) for key in keys])).to(tokens.device)
    mixed = torch.take_along_dim(tokens, order[:, :, None, None], dim=1)
    stream = networks.stream
    return Support(
        memory=networks.dual.remember(tokens),
        shuffled=networks.dual.remember(mixed),
        stream=None if stream is None else stream.remember(_tokens(stream, supporting)),
    )


def shuffle(key: str, *, count: int) -> Int64[np.ndarray, " S"]:
    """An order of a sample's supporting frames in which not all stand where they stood, if there are two or more."""
    generator = np.random.default_rng(list(key.encode()))
    order = generator.permutation(count)
    while count > 1 and (order == np.arange(count)).all():
        order = generator.permutation(count)
    return order


@torch.inference_mode()
def look(networks: Networks, keyframe: UInt8[Tensor, "B 3 H W"], *, watched: Support) -> dict[str, Tensor]:
    """Heatmaps of every method that is shown the keyframe."""
    dual, tokens = networks.dual, _tokens(networks.dual, keyframe[:, None])
    answer = dual.answer(tokens[:, 0], memory=watched.memory)
    still = dual.remember(tokens.expand(-1, watched.memory.shown.shape[1], -1, -1))
    maps = {
        "final": answer.final,
        "visual": answer.visual,
        "single_frame": networks.single(shown(networks.single, keyframe)).final,
        "cut": dual.answer(tokens[:, 0], memory=cut(watched.memory)).final if networks.model.has_temporal else None,
        "still": dual.answer(tokens[:, 0], memory=still).final,
        "shuffled": dual.answer(tokens[:, 0], memory=watched.shuffled).final,
    }
    if networks.stream is not None and watched.stream is not None:
        seen = _tokens(networks.stream, keyframe[:, None])[:, 0]
        maps["single_stream"] = networks.stream.answer(seen, memory=watched.stream).final
    return {name: found for name, found in maps.items() if found is not None}


def cut(memory: Memory) -> Memory:
    """The memory without what the temporal stream made of it; what the visual stream attends to stays."""
    watched = memory.watched
    if watched is None or watched.features is None:
        return memory
    features = watched.features
    blank = replace(
        features,
        restored=torch.zeros_like(features.restored),
        mean=torch.zeros_like(features.mean),
        keypoints=None if features.keypoints is None else torch.zeros_like(features.keypoints),
        kernels=None if features.kernels is None else torch.zeros_like(features.kernels),
    )
    maps = {
        name: None if found is None else torch.zeros_like(found)
        for name, found in (("keypoint", watched.keypoint), ("dense", watched.dense))
    }
    return replace(memory, watched=replace(watched, features=blank, **maps))


@torch.inference_mode()
def watch(
    networks: Networks, supporting: UInt8[Tensor, "B S 3 H W"], *, watched: Support, batch: ClipBatch
) -> dict[str, Poses]:
    """Poses of every method that is shown the supporting frames alone."""
    seen = watched.memory.watched
    temporal = None if seen is None else seen.answer
    own = {} if temporal is None else {"temporal": locate(temporal, batch.to_source, model=networks.model)}
    maps = networks.single(shown(networks.single, supporting).flatten(0, 1)).final
    mean = maps.reshape(*supporting.shape[:2], *maps.shape[1:]).mean(dim=1)
    return {
        **own,
        "mean_heatmaps": locate(mean, batch.to_source, model=networks.model),
        **_neighbours(networks, maps, batch=batch),
    }


def _neighbours(networks: Networks, maps: Tensor, *, batch: ClipBatch) -> dict[str, Poses]:
    """The controls made of the single-frame network's poses at the supporting frames."""
    times = supporting_times(batch.samples, position=networks.model.clip.keyframe_position)
    count = times.shape[1]
    found = locate(maps, batch.to_source.repeat_interleave(count, dim=0), model=networks.model)
    keypoints = found.keypoints.reshape(-1, count, *found.keypoints.shape[1:])
    scores = found.scores.reshape(-1, count, found.scores.shape[1])
    weights = {"copy": copy_weights(times), "interpolation": interpolation_weights(times)}
    return {name: weigh(by, keypoints=keypoints, scores=scores) for name, by in weights.items()}


def supporting_times(samples: Sequence[ClipSample], *, position: int) -> Int64[np.ndarray, "N S"]:
    """When the supporting frames that were really used stand, in frames after the keyframe."""
    used = np.array([sample.frames_used for sample in samples], dtype=np.int64)
    keyframes = np.array([sample.frame for sample in samples], dtype=np.int64)
    return np.delete(used, position, axis=1) - keyframes[:, None]


def _tokens(network: DSN, frames: UInt8[Tensor, "B T 3 H W"]) -> Tensor:
    tokens: Tensor = network.backbone(shown(network, frames).flatten(0, 1))
    return tokens.reshape(*frames.shape[:2], *tokens.shape[1:])
