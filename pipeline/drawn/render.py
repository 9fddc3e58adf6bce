"""Painting: layers of parts from far to near, instants averaged into a frame, and who is seen at each pixel."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy.typing import NDArray

from pipeline.drawn.outline import SHIFT, Array, Part

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Layer:
    """One person or thing: parts that are sorted among themselves, and together stand at one depth."""

    parts: list[Part]
    depth: Float[NDArray[np.float64], " T"]
    """Metres away from the camera, for the order among layers."""
    order: Int[NDArray[np.int64], "T P"]
    """Positions in `parts`, the farthest first."""


def layer(parts: list[Part], depth: Float[NDArray[np.float64], " T"]) -> Layer:
    """Sort the parts of one person or thing at every instant."""
    depths = np.stack([part.depth for part in parts], axis=1)
    return Layer(parts, depth, np.argsort(-depths, axis=1, kind="stable"))


def far_to_near(layers: Sequence[Layer], instant: int) -> list[int]:
    """Positions of the layers in the order of painting at one instant."""
    return sorted(range(len(layers)), key=lambda index: -float(layers[index].depth[instant]))


def paint(canvas: UInt8[NDArray[np.uint8], "H W 3"], layers: Sequence[Layer], instant: int) -> None:
    """Paint all layers over `canvas` as they are at one instant."""
    for index in far_to_near(layers, instant):
        parts = layers[index].parts
        for position in layers[index].order[instant]:
            for shape in parts[position].shapes:
                if shape.shown is None or shape.shown[instant]:
                    cv2.fillPoly(canvas, [shape.points[instant]], shape.colour, cv2.LINE_AA, SHIFT)


def paint_ranks(
    size: tuple[int, int], layers: Sequence[Layer], instant: int
) -> tuple[UInt8[NDArray[np.uint8], "H W"], list[int]]:
    """Which layer is seen at each pixel at one instant.

    Returns:
        A map of ranks (0 where none is seen, 1 for the farthest layer, higher for nearer ones), and each layer's rank.
    """
    canvas = np.zeros(size, np.uint8)
    ranks = [0] * len(layers)
    for rank, index in enumerate(far_to_near(layers, instant), start=1):
        ranks[index] = rank
        for part in layers[index].parts:
            for shape in part.shapes:
                if shape.shown is None or shape.shown[instant]:
                    cv2.fillPoly(canvas, [shape.points[instant]], rank, cv2.LINE_8, SHIFT)
    return canvas, ranks


def average(canvases: Sequence[UInt8[NDArray[np.uint8], "H W 3"]]) -> Image:
    """The mean image of equally long instants: what a shutter that is open for all of them sees."""
    if len(canvases) == 1:
        return canvases[0]
    total = np.zeros(canvases[0].shape, np.uint16)
    for canvas in canvases:
        cv2.add(total, canvas, total, dtype=cv2.CV_16U)
    return np.asarray(cv2.convertScaleAbs(total, alpha=1 / len(canvases)))


def shadow(
    size: tuple[int, int],
    centers: Float[NDArray[np.float64], "N 2"],
    radii: Float[NDArray[np.float64], "N 2"],
    *,
    strength: float,
) -> UInt8[NDArray[np.uint8], "H W 3"]:
    """How much light soft oval shadows leave on the ground, 255 for all of it; drawn at a quarter of the size."""
    height, width = size
    small = np.full((-(-height // 4), -(-width // 4)), 255, np.uint8)
    for (x, y), (across, along) in zip(centers / 4, radii / 4, strict=True):
        if abs(x) < 4000 and abs(y) < 4000:
            axes = (max(1, round(float(across))), max(1, round(float(along))))
            cv2.ellipse(small, (round(float(x)), round(float(y))), axes, 0, 0, 360, round(255 * (1 - strength)), -1)
    blurred = cv2.GaussianBlur(small, (0, 0), 1.6)
    return np.asarray(cv2.cvtColor(cv2.resize(blurred, (width, height)), cv2.COLOR_GRAY2BGR))


def expose(image: Image, *, gain: Array, noise: NDArray[np.int16]) -> Image:
    """The camera's colour balance (a gain per channel) and its noise on an averaged frame."""
    table = np.clip(np.arange(256)[:, None] * gain, 0, 255).round().astype(np.uint8)[:, None]
    return np.asarray(cv2.add(cv2.LUT(image, table), noise, dtype=cv2.CV_8U))
