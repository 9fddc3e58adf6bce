"""Textures: noise, gradients and colours of things."""

import colorsys

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import NDArray

from pipeline.drawn.appearance import Colour


def clouds(size: tuple[int, int], rng: np.random.Generator, *, octaves: int) -> Float[NDArray[np.float32], "H W"]:
    """Smooth noise of several scales between 0 and 1."""
    total = np.zeros(size, np.float32)
    for octave in range(octaves):
        cells = (2 ** (octave + 1) + 1, 2 ** (octave + 2) + 1)
        grid = rng.random(cells, np.float32)
        total += cv2.resize(grid, size[::-1], interpolation=cv2.INTER_CUBIC) / 2**octave
    low, high = float(total.min()), float(total.max())
    return np.asarray((total - low) / max(high - low, 1e-6))


def gradient(size: tuple[int, int], top: Colour, low: Colour) -> Float[NDArray[np.float32], "H W 3"]:
    """From one colour above to another below."""
    part = np.linspace(0, 1, size[0], dtype=np.float32)[:, None, None]
    column = (1 - part) * np.array(top, np.float32) + part * np.array(low, np.float32)
    return np.broadcast_to(column, (*size, 3))


def speckle(
    image: UInt8[NDArray[np.uint8], "H W 3"], rng: np.random.Generator, *, strength: float
) -> UInt8[NDArray[np.uint8], "H W 3"]:
    """The image with fine grain and coarse blotches of this standard deviation."""
    size = image.shape[:2]
    grain = rng.standard_normal(size, np.float32) * strength
    coarse = cv2.resize(rng.standard_normal((size[0] // 6, size[1] // 6), np.float32), size[::-1]) * strength
    return np.asarray(cv2.add(image, np.repeat((grain + coarse)[..., None], 3, axis=2), dtype=cv2.CV_8U))


def cloth_colour(rng: np.random.Generator) -> Colour:
    """A random strong colour."""
    return _colour(rng.random(), rng.uniform(0.3, 0.85), rng.uniform(0.35, 0.95))


def wall_colour(rng: np.random.Generator) -> Colour:
    """A random pale or muted colour, as of walls and stones: mostly warm."""
    hue = rng.random() if rng.random() < 0.3 else rng.normal(0.09, 0.05) % 1
    return _colour(hue, rng.uniform(0.02, 0.3), rng.uniform(0.35, 0.9))


def leaf_colour(rng: np.random.Generator) -> Colour:
    """A random colour of leaves and grass."""
    return _colour(rng.uniform(0.18, 0.38), rng.uniform(0.35, 0.75), rng.uniform(0.25, 0.6))


def _colour(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * blue), round(255 * green), round(255 * red)
