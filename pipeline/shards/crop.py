"""Exact geometry of crops, and the pixels in them.

A point (x, y) counts pixel centres from 0, so a crop of W pixels spans W - 1 steps (UDP, arXiv 1911.07524). An affine
is a 2 x 3 array that takes points of one pixel grid to another; every crop is described by the affine from its own
pixels to the source frame, because that is the direction in which pixels are looked up.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

Affine = Float[np.ndarray, "2 3"]
Image = UInt8[np.ndarray, "_ _ 3"]
"""Of any height and width: functions here take one size and give another."""

BILINEAR = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP

PADDING = 1.25
"""The region around a bbox, in sides of the bbox: the field's convention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """An upright rectangle of the source frame with the aspect of the crop made of it."""

    center: tuple[float, float]
    spacing: float
    """Source pixels between two neighbouring pixels of the crop, the same in x and y."""


def region(bbox: tuple[float, float, float, float], *, size: tuple[int, int], padding: float = PADDING) -> Region:
    """The smallest region of a crop's aspect that holds `bbox` grown to `padding` times its sides.

    Args:
        bbox: x1, y1, x2, y2 in source pixels.
        size: height and width of the crop.
        padding: sides of the region in sides of the bbox.
    """
    x1, y1, x2, y2 = bbox
    spacing = padding * max((x2 - x1) / (size[1] - 1), (y2 - y1) / (size[0] - 1))
    return Region(center=((x1 + x2) / 2, (y1 + y2) / 2), spacing=spacing)


def widened(own: Region, *, size: tuple[int, int], stored: tuple[int, int], other: Region | None) -> Region:
    """The stored crop's region: `own` with its margin, and larger where `other` would not fit in.

    A crop by `other` that reached beyond the stored pixels would be black there, and so would tell where `own` is.

    Args:
        own: region of the keyframe's bbox.
        size: height and width of the input.
        stored: height and width of the stored crop.
        other: region of the neighbour bbox, if there is one.
    """
    if other is None:
        return own
    reach = (2 * abs(other.center[side] - own.center[side]) + other.spacing * (size[1 - side] - 1) for side in (0, 1))
    needed = max(length / (stored[1 - side] - 1) for side, length in zip((0, 1), reach, strict=True))
    return Region(center=own.center, spacing=max(own.spacing, needed))


def confined(where: Region, *, within: Region, size: tuple[int, int]) -> Region:
    """The region moved, and made smaller where need be, until it lies in another of the same aspect.

    Args:
        where: the region.
        within: the other one.
        size: height and width of both regions' crops.
    """
    spacing = min(where.spacing, within.spacing)
    slack = [(within.spacing - spacing) * (side - 1) / 2 for side in reversed(size)]
    x, y = (
        min(max(own, middle - room), middle + room)
        for own, middle, room in zip(where.center, within.center, slack, strict=True)
    )
    return Region(center=(x, y), spacing=spacing)


def upright(where: Region, *, size: tuple[int, int]) -> Affine:
    """From pixels of an upright crop of `size` (height, width) to the source frame."""
    return turned(where, size=size, degrees=0.0, is_flipped=False)


def turned(where: Region, *, size: tuple[int, int], degrees: float, is_flipped: bool) -> Affine:
    """From pixels of a crop of `size` to the source frame, the crop turned about its centre and perhaps mirrored."""
    angle = math.radians(degrees)
    cos, sin = where.spacing * math.cos(angle), where.spacing * math.sin(angle)
    mirror = -1.0 if is_flipped else 1.0
    x, y = (size[1] - 1) / 2, (size[0] - 1) / 2
    return np.array(
        [
            [mirror * cos, -sin, where.center[0] - mirror * cos * x + sin * y],
            [mirror * sin, cos, where.center[1] - mirror * sin * x - cos * y],
        ]
    )


def inverse(affine: Affine) -> Affine:
    """The affine back."""
    (a, b, x), (c, d, y) = affine.tolist()
    size = a * d - b * c
    return np.array([[d / size, -b / size, (b * y - d * x) / size], [-c / size, a / size, (c * x - a * y) / size]])


def compose(second: Affine, first: Affine) -> Affine:
    """The affine that does `first`, then `second`."""
    (a, b, x), (c, d, y) = second.tolist()
    (e, f, u), (g, h, v) = first.tolist()
    return np.array(
        [[a * e + b * g, a * f + b * h, a * u + b * v + x], [c * e + d * g, c * f + d * h, c * u + d * v + y]]
    )


def transform(points: Float[np.ndarray, "*B 2"], affine: Affine) -> Float[np.ndarray, "*B 2"]:
    """Points (x, y) taken through an affine."""
    return np.asarray(points @ affine[:, :2].T + affine[:, 2])


def scale_of(affine: Affine) -> float:
    """By how much an affine enlarges lengths."""
    (a, b, _), (c, d, _) = affine.tolist()
    return math.sqrt(abs(a * d - b * c))


def warp(image: Image, affine: Affine, *, size: tuple[int, int]) -> Image:
    """The crop of `size` whose pixel p shows `image` at affine(p), bilinear, black outside."""
    return np.asarray(cv2.warpAffine(image, affine, size[::-1], flags=BILINEAR), dtype=np.uint8)


def warp_into(crop: Image, image: Image, *, affine: Affine) -> None:
    """Draw into `crop`, which is contiguous, what `warp` gives: in half its time where the image is not much larger.

    OpenCV 5 warps four channels in 0.4 of the time of three, to the same pixels.
    """
    padded = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    padded = cv2.warpAffine(padded, affine, (crop.shape[1], crop.shape[0]), flags=BILINEAR)
    cv2.cvtColor(padded, cv2.COLOR_RGBA2RGB, dst=crop)


def shrinking_warp(image: Image, affine: Affine, *, size: tuple[int, int]) -> Image:
    """As `warp` for upright crops, but without the aliasing that bilinear look-up has where the crop is much smaller.

    The part of the image that is needed is first averaged over squares of a power of two of pixels.
    """
    factor = 2 ** max(0, int(math.log2(scale_of(affine))))
    if factor == 1:
        return warp(image, affine, size=size)
    corners = transform(np.array([[0.0, 0.0], [size[1] - 1.0, size[0] - 1.0]]), affine)
    low = np.maximum(np.floor(corners[0]).astype(int) - factor, 0)
    high = np.minimum(np.ceil(corners[1]).astype(int) + 2 * factor, (image.shape[1], image.shape[0]))
    if (high - low < factor).any():
        return np.zeros((*size, 3), dtype=np.uint8)
    cells = (high - low) // factor
    high = low + cells * factor
    part = image[low[1] : high[1], low[0] : high[0]]
    small = cv2.resize(part, (int(cells[0]), int(cells[1])), interpolation=cv2.INTER_AREA)
    to_small = np.column_stack([np.eye(2) / factor, -(low + (factor - 1) / 2) / factor])
    return warp(small, compose(to_small, affine), size=size)
