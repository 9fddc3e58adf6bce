"""Random views of a clip: one geometric transform for all its frames, patches over them, and a spoilt keyframe.

Every draw follows from (seed, epoch, key), so neither the order of samples nor the number of processes changes it.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from dsn.skeleton import Skeleton
from pipeline.shards.crop import Affine, Image, Region, confined, region, turned
from pipeline.shards.sample import ClipSample
from pipeline.shards.spoil import Kind, degraded, dropped, patch

HALF_BODY_JOINTS = 8
"""Half-body views are drawn only of people with more labelled joints than this (as mmpose does)."""
FEWEST_JOINTS = 3
"""And only where the half has this many."""
HALF_BODY_PADDING = 1.5
"""Sides of a half-body region in sides of its joints' extent."""

PROBABILITIES = (
    "flip", "rotation_probability", "half_body", "occluder", "keyframe_dropout", "keyframe_degradation",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentConfig:
    """How training views vary (section `reader.augment`)."""

    flip: float
    """Probability of a mirrored view."""
    rotation: float
    """Largest rotation to either side, in degrees."""
    rotation_probability: float
    """Probability of any rotation."""
    scale: float
    """The region's sides vary by this share to either side."""
    shift: float
    """The region's centre varies by this share of its sides to either side."""
    half_body: float
    """Probability of a view of only the upper or lower body."""
    color: float
    """Each channel's contrast and brightness vary by this share to either side, alike in all frames."""
    occluder: float
    """Probability of a patch over the same place of all frames."""
    keyframe_dropout: float
    """Probability that the keyframe is made useless: black, blurred, noise, or under a large patch."""
    keyframe_degradation: float
    """Probability that the keyframe is degraded by a random degree, in one of `keyframe_kinds`."""
    keyframe_kinds: tuple[Kind, ...]
    """The kinds of degradation."""

    def __post_init__(self) -> None:
        """Refuse probabilities that are none, and regions turned inside out."""
        for name in PROBABILITIES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: got {getattr(self, name)}, wanted 0 to 1")
        if not 0 <= self.rotation <= 180:
            raise ValueError(f"rotation: got {self.rotation}, wanted 0 to 180")
        if not 0 <= self.scale < 1:
            raise ValueError(f"scale: got {self.scale}, wanted at least 0 and less than 1")
        for name in ("shift", "color"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: got {getattr(self, name)}, wanted 0 to 1")
        if not self.keyframe_kinds or len(set(self.keyframe_kinds)) < len(self.keyframe_kinds):
            raise ValueError(f"keyframe_kinds: got {list(self.keyframe_kinds)}, wanted at least one and none twice")


Tint = Float32[np.ndarray, "3 4"]
"""From a pixel's levels (r, g, b, 1) to its new ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One drawn transform."""

    to_source: Affine
    """From input pixels to the source frame."""
    is_flipped: bool


def generator(seed: int, *, epoch: int, key: str) -> np.random.Generator:
    """The random numbers of one sample in one epoch."""
    return np.random.default_rng([seed, epoch, zlib.crc32(key.encode())])


def draw_view(
    sample: ClipSample,
    config: AugmentConfig,
    rng: np.random.Generator,
    *,
    skeleton: Skeleton,
    input_size: tuple[int, int],
) -> View:
    """Draw the one transform of all the clip's frames."""
    where = region(sample.bbox, size=input_size)
    half = _half_body(sample, rng, skeleton=skeleton, size=input_size) if rng.random() < config.half_body else None
    if half is not None:
        where = confined(half, within=where, size=input_size)
    spacing = where.spacing * (1 + config.scale * rng.uniform(-1, 1))
    reach = config.shift * where.spacing
    x, y = where.center
    x += reach * (input_size[1] - 1) * rng.uniform(-1, 1)
    y += reach * (input_size[0] - 1) * rng.uniform(-1, 1)
    degrees = config.rotation * rng.uniform(-1, 1) if rng.random() < config.rotation_probability else 0.0
    is_flipped = bool(rng.random() < config.flip)
    drawn = Region(center=(x, y), spacing=spacing)
    to_source = turned(drawn, size=input_size, degrees=degrees, is_flipped=is_flipped)
    return View(to_source=to_source, is_flipped=is_flipped)


def _half_body(
    sample: ClipSample, rng: np.random.Generator, *, skeleton: Skeleton, size: tuple[int, int]
) -> Region | None:
    """The region of the upper or lower body, or None where too few joints are labelled."""
    table = np.array(sample.keypoints)
    is_labeled = table[:, 2] > 0
    halves = [[joint for joint in half if is_labeled[joint]] for half in (skeleton.upper_body, skeleton.lower_body)]
    halves = [half for half in halves if len(half) >= FEWEST_JOINTS]
    if is_labeled.sum() <= HALF_BODY_JOINTS or not halves:
        return None
    points = table[halves[rng.integers(len(halves))], :2]
    x1, y1, x2, y2 = np.concatenate([points.min(axis=0), points.max(axis=0)]).tolist()
    if max(x2 - x1, y2 - y1) < 1:
        return None
    return region((x1, y1, x2, y2), size=size, padding=HALF_BODY_PADDING)


def flip_order(skeleton: Skeleton) -> list[int]:
    """For each channel of a mirrored clip the channel it comes from."""
    order = list(range(len(skeleton.joints)))
    for left, right in skeleton.flip_pairs:
        order[left], order[right] = right, left
    return order


def draw_tint(config: AugmentConfig, rng: np.random.Generator) -> Tint | None:
    """Draw other contrast and brightness of each channel, as other light and other clothes would give."""
    if config.color == 0:
        return None
    gains, shifts = rng.uniform(-config.color, config.color, (2, 3))
    drawn = np.zeros((3, 4), dtype=np.float32)
    drawn[(0, 1, 2), (0, 1, 2)] = 1 + gains
    drawn[:, 3] = 127.5 * (shifts - gains)
    return drawn


def tint(frame: Image, drawn: Tint) -> None:
    """Change levels v, in place, to 255 ((v / 255 - 1 / 2) (1 + gain) + 1 / 2 + shift / 2)."""
    cv2.transform(frame, drawn, dst=frame)  # 4 times as fast as looking levels up


def cover(
    frames: UInt8[np.ndarray, "T H W 3"],
    config: AugmentConfig,
    rng: np.random.Generator,
    *,
    is_keyframe: Sequence[bool] | Bool[np.ndarray, " T"],
) -> bool:
    """Draw the patch over all frames and what spoils the keyframe, in place.

    Args:
        frames: a clip of input crops.
        config: the probabilities.
        rng: the sample's random numbers.
        is_keyframe: which of the frames show the keyframe, its repeats in a video of one frame included.

    Returns:
        Whether the keyframe was spoilt: dropped out or degraded, by whatever degree.
    """
    is_spoilt = False
    if rng.random() < config.occluder:
        patch(frames, rng, shares=(0.1, 0.4))
    if rng.random() < config.keyframe_dropout:
        chosen = np.flatnonzero(is_keyframe)
        frames[chosen] = dropped(frames[chosen[0]], rng)
        is_spoilt = True
    if rng.random() < config.keyframe_degradation:
        chosen = np.flatnonzero(is_keyframe)
        kind = config.keyframe_kinds[rng.integers(len(config.keyframe_kinds))]
        frames[chosen] = degraded(frames[chosen[0]], kind, rng)
        is_spoilt = True
    return is_spoilt
