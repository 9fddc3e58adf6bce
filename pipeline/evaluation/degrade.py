"""Degradations of the keyframe: kinds, and severities from 0 (nothing) to 5.

Every draw comes from the seed, the kind and the sample's key alone. So each method sees the same pixels whatever the
batch, and a higher severity spoils the same place more.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Float64, UInt8
from torch import Tensor
from torch.nn import functional

from pipeline.shards.batch import ClipBatch

Kind = Literal["black", "motion_blur", "defocus", "occluder", "noise"]
KINDS: tuple[Kind, ...] = get_args(Kind)

WORST = 5
"""The highest severity."""
DEFOCUS = 0.012
"""Radius of the blur disc per severity, in heights of the crop."""
OCCLUDED = 0.1
"""Share of the crop's area behind the occluder, per severity."""
JITTER = 0.1
"""How far an occluder's centre may be from its joint, in sides of the crop."""
NOISE = 16.0
"""Standard deviation of the noise per severity, in grey levels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """What is done to keyframes."""

    kind: Kind
    severity: int
    """0 to 5; 0 leaves the keyframe as it is."""
    seed: int

    def __post_init__(self) -> None:
        """Refuse severities that are none."""
        if not 0 <= self.severity <= WORST:
            raise ValueError(f"severity: got {self.severity}, wanted 0 to {WORST}")

    def generator(self, key: str) -> np.random.Generator:
        """The draws for one sample, the same at every severity."""
        digest = hashlib.sha256(f"{self.seed} {self.kind} {key}".encode()).digest()
        return np.random.default_rng(list(digest))


def degraded_keyframes(batch: ClipBatch, how: Degradation, *, clip: tuple[int, ...]) -> UInt8[Tensor, "B 3 H W"]:
    """The keyframes of a batch after the degradation.

    Args:
        batch: whole clips.
        how: kind, severity and seed.
        clip: offsets of the T frames from the keyframe, 0 among them, ascending.
    """
    keyframes = batch.frames[:, clip.index(0)]
    return keyframes.clone() if how.severity == 0 else _KINDS[how.kind](batch, how, clip)


def is_all_or_nothing(kind: Kind) -> bool:
    """Whether every severity above 0 is the same."""
    return kind == "black"


def shutter_weights(clip: tuple[int, ...], *, severity: int) -> Float64[np.ndarray, " T"]:
    """What a shutter open around the keyframe gathers of each frame.

    A frame stands for the time up to the middle between it and the next. At severity 0 the shutter is open for the
    keyframe's own time, at the highest for the whole clip's, and in between for equal steps more.
    """
    times = np.array(clip, dtype=np.float64)
    middles = (times[1:] + times[:-1]) / 2
    edges = np.concatenate([[2 * times[0] - middles[0]], middles, [2 * times[-1] - middles[-1]]])
    own = edges[clip.index(0) : clip.index(0) + 2]
    opened, closed = own + (edges[[0, -1]] - own) * severity / WORST
    gathered = np.clip(np.minimum(edges[1:], closed) - np.maximum(edges[:-1], opened), 0.0, None)
    weights: Float64[np.ndarray, " T"] = gathered / gathered.sum()
    return weights


def _black(batch: ClipBatch, _how: Degradation, clip: tuple[int, ...]) -> UInt8[Tensor, "B 3 H W"]:
    return torch.zeros_like(batch.frames[:, clip.index(0)])


def _motion_blur(batch: ClipBatch, how: Degradation, clip: tuple[int, ...]) -> UInt8[Tensor, "B 3 H W"]:
    """The average of the clip's real frames under a longer shutter."""
    weights = torch.from_numpy(shutter_weights(clip, severity=how.severity)).float()
    return _bytes(torch.einsum("t,btchw->bchw", weights, batch.frames.float()))


def _defocus(batch: ClipBatch, how: Degradation, clip: tuple[int, ...]) -> UInt8[Tensor, "B 3 H W"]:
    """Each point spread over a disc; the borders are continued."""
    keyframes = batch.frames[:, clip.index(0)].float()
    kernel = disc(DEFOCUS * how.severity * keyframes.shape[-2])
    reach = kernel.shape[0] // 2
    padded = functional.pad(keyframes, (reach, reach, reach, reach), mode="replicate")
    return _bytes(functional.conv2d(padded, kernel.expand(3, 1, -1, -1), groups=3))


def disc(radius: float) -> Float[Tensor, "D D"]:
    """A disc of weight 1 with a soft border; D is odd."""
    reach = int(np.ceil(radius))
    axis = torch.arange(-reach, reach + 1, dtype=torch.float32)
    weights = (radius + 0.5 - torch.hypot(axis[:, None], axis)).clamp(0, 1)
    return weights / weights.sum()


def _noise(batch: ClipBatch, how: Degradation, clip: tuple[int, ...]) -> UInt8[Tensor, "B 3 H W"]:
    """Gaussian noise, every pixel and channel for itself."""
    keyframes = batch.frames[:, clip.index(0)].float()
    drawn = [how.generator(key).standard_normal(keyframes.shape[1:], dtype=np.float32) for key in batch.keys]
    return _bytes(keyframes + NOISE * how.severity * torch.from_numpy(np.stack(drawn)))


def _occluder(batch: ClipBatch, how: Degradation, clip: tuple[int, ...]) -> UInt8[Tensor, "B 3 H W"]:
    """A textured rectangle over a labelled joint and what is around it."""
    keyframes = batch.frames[:, clip.index(0)].clone(memory_format=torch.contiguous_format)
    for row, key in enumerate(batch.keys):
        joints = batch.keypoints[row][batch.visible[row]].numpy()
        _cover(keyframes[row], joints, how=how, generator=how.generator(key))
    return keyframes


def _cover(
    image: UInt8[Tensor, "3 H W"],
    joints: Float[np.ndarray, "J 2"],
    *,
    how: Degradation,
    generator: np.random.Generator,
) -> None:
    """Draw one rectangle of the crop's aspect into the image, around a joint, or the middle where there is none."""
    size = np.array([image.shape[2], image.shape[1]])
    joint = joints[generator.integers(len(joints))] if len(joints) else (size - 1) / 2
    centre = joint + generator.uniform(-JITTER, JITTER, 2) * size
    half = size * np.sqrt(OCCLUDED * how.severity) / 2
    left, top = np.clip(np.rint(centre - half), 0, size).astype(int)
    right, bottom = np.clip(np.rint(centre + half), 0, size).astype(int)
    texture = _texture(generator, size=(image.shape[1], image.shape[2]))
    image[:, top:bottom, left:right] = texture[:, top:bottom, left:right]


def _texture(generator: np.random.Generator, *, size: tuple[int, int]) -> UInt8[Tensor, "3 H W"]:
    """Random colours on a coarse grid, smooth in between, with a grain."""
    coarse = torch.from_numpy(generator.uniform(0, 255, (1, 3, 6, 4)).astype(np.float32))
    smooth = functional.interpolate(coarse, size, mode="bilinear", align_corners=True)[0]
    return _bytes(smooth + torch.from_numpy(generator.normal(0, 12, (3, *size)).astype(np.float32)))


def _bytes(values: Float[Tensor, "*B H W"]) -> UInt8[Tensor, "*B H W"]:
    return values.round().clamp(0, 255).to(torch.uint8)


_KINDS: dict[Kind, Callable[[ClipBatch, Degradation, tuple[int, ...]], Tensor]] = {
    "black": _black,
    "motion_blur": _motion_blur,
    "defocus": _defocus,
    "occluder": _occluder,
    "noise": _noise,
}
