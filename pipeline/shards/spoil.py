"""Ways to spoil a keyframe, so that training learns to do without it: dropped out, or degraded by degrees."""

from collections.abc import Callable
from typing import Literal, get_args

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from pipeline.shards.crop import Image

Kind = Literal["black", "motion_blur", "defocus", "noise", "occluder"]
KINDS: tuple[Kind, ...] = get_args(Kind)

LONGEST_STREAK = 0.25
"""Length of the worst motion blur, in heights of the crop."""
WIDEST_DISC = 0.06
"""Radius of the worst defocus, in heights of the crop."""
LOUDEST_NOISE = 80.0
"""Standard deviation of the worst noise, in grey levels."""
LARGEST_PATCH = 0.9
"""Sides of the worst occluder, in sides of the crop."""


def dropped(keyframe: Image, rng: np.random.Generator) -> Image:
    """The keyframe made useless in one of four ways: black, blurred beyond use, noise alone, or under a large patch."""
    match rng.integers(4):
        case 0:
            return np.zeros_like(keyframe)
        case 1:
            reach = int(keyframe.shape[0] * rng.uniform(0.06, 0.2))
            return np.asarray(cv2.stackBlur(keyframe, (2 * reach + 1, 2 * reach + 1)), dtype=np.uint8)
        case 2:
            return rng.integers(0, 256, keyframe.shape, dtype=np.uint8)
        case _:
            covered = keyframe[None].copy()
            patch(covered, rng, shares=(0.5, 0.9))
            return np.asarray(covered[0])


def degraded(keyframe: Image, kind: Kind, rng: np.random.Generator) -> Image:
    """The keyframe degraded in one way, by a random degree from hardly to badly.

    It is made of the keyframe alone, so a clip's keyframe is degraded alike where no other frame is decoded.
    """
    return _KINDS[kind](keyframe, rng.uniform(), rng)


def _black(keyframe: Image, _degree: float, _rng: np.random.Generator) -> Image:
    return np.zeros_like(keyframe)


def _motion_blur(keyframe: Image, degree: float, rng: np.random.Generator) -> Image:
    kernel = streak(LONGEST_STREAK * degree * keyframe.shape[0], angle=rng.uniform(0, np.pi))
    return np.asarray(cv2.filter2D(keyframe, -1, kernel, borderType=cv2.BORDER_REPLICATE), dtype=np.uint8)


def _defocus(keyframe: Image, degree: float, _rng: np.random.Generator) -> Image:
    kernel = disc(WIDEST_DISC * degree * keyframe.shape[0])
    return np.asarray(cv2.filter2D(keyframe, -1, kernel, borderType=cv2.BORDER_REPLICATE), dtype=np.uint8)


def _noise(keyframe: Image, degree: float, rng: np.random.Generator) -> Image:
    noise = rng.standard_normal(keyframe.shape, dtype=np.float32) * np.float32(LOUDEST_NOISE * degree)
    return np.asarray(np.clip(np.rint(keyframe + noise), 0, 255), dtype=np.uint8)


def _occluder(keyframe: Image, degree: float, rng: np.random.Generator) -> Image:
    covered = keyframe[None].copy()
    patch(covered, rng, shares=(LARGEST_PATCH * degree, LARGEST_PATCH * degree))
    return np.asarray(covered[0])


def streak(length: float, *, angle: float) -> Float32[np.ndarray, "D D"]:
    """A line of weight 1 through the middle, `length` pixels long, with soft borders; D is odd. Angles in radians."""
    reach = int(np.ceil(length / 2))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    along = np.abs(x * np.cos(angle) + y * np.sin(angle))
    across = np.abs(y * np.cos(angle) - x * np.sin(angle))
    weights = np.clip(length / 2 + 0.5 - along, 0, 1) * np.clip(1 - across, 0, 1)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def disc(radius: float) -> Float32[np.ndarray, "D D"]:
    """A disc of weight 1 with a soft border; D is odd."""
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    weights = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def patch(frames: UInt8[np.ndarray, "T H W 3"], rng: np.random.Generator, *, shares: tuple[float, float]) -> None:
    """Cover one place of all frames by an ellipse or a rectangle of one random colour with some grain, in place.

    Args:
        frames: a clip.
        rng: the sample's random numbers.
        shares: least and most of the patch's sides, in sides of the frame.
    """
    _, height, width, _ = frames.shape
    sides = np.maximum(1, np.round(rng.uniform(*shares, 2) * (height, width)).astype(int))
    top, left = rng.integers(0, np.array([height, width]) - sides + 1)
    color = rng.integers(0, 256, 3)
    grain = rng.normal(0, rng.uniform(0, 40), (*sides, 1))
    texture = np.clip(color + grain, 0, 255).astype(np.uint8)
    shape = np.ones(sides, dtype=bool) if rng.random() < 0.5 else _ellipse(int(sides[0]), int(sides[1]))
    np.copyto(frames[:, top : top + sides[0], left : left + sides[1]], texture, where=shape[:, :, None])


def _ellipse(height: int, width: int) -> Bool[np.ndarray, "H W"]:
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.asarray(y**2 + x**2 <= 1, dtype=bool)


_KINDS: dict[Kind, Callable[[Image, float, np.random.Generator], Image]] = {
    "black": _black,
    "motion_blur": _motion_blur,
    "defocus": _defocus,
    "noise": _noise,
    "occluder": _occluder,
}
