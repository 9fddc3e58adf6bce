"""How wide the border of stored crops is, so that views drawn at random seldom reach beyond the stored pixels.

Turned corners reach far out, but seldom: for rotations to 45 degrees and scales to 1.35, crops that hold every view
have twice the pixels of crops that hold 99 % of the views' pixels. Half-body views need no more: they lie within the
whole body's.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float

POINTS, ANGLES, SCALES, SHIFTS = 17, 9, 7, 5
"""Steps of the grid over which the share is taken, along each axis of the view and of what is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """What moves a training view: those keys of `reader.augment` that decide the border."""

    rotation: float
    """Largest rotation to either side, in degrees."""
    rotation_probability: float
    """Probability of any rotation."""
    scale: float
    """The view's sides vary by this share to either side."""
    shift: float
    """The view's centre varies by this share of its sides to either side."""


@cache
def border_of(views: Views, *, size: tuple[int, int], coverage: float) -> int:
    """Pixels to be stored on every side of the input.

    Args:
        views: how views are drawn.
        size: height and width of the input.
        coverage: share of the pixels of views, on average, that the stored crop has; at 1 it has all of every view.
    """
    excess, weights = _excess(views, size=size)
    order = np.argsort(excess)
    order = order[weights[order] > 0]
    stored = np.cumsum(weights[order])
    enough = np.searchsorted(stored, coverage * stored[-1] * (1 - 1e-9))
    return max(0, math.ceil(float(excess[order[enough]]) - 1e-9))


def _excess(views: Views, *, size: tuple[int, int]) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
    """By how many pixels the pixels of views lie outside of the view that nothing moves, and how often each does.

    On a grid over all draws that holds the ends of every range, weighted as the trapezoidal rule has it.
    """
    half_y, half_x = ((side - 1) / 2 for side in size)
    angles, often = _grid(math.radians(views.rotation), ANGLES)
    axes = [
        (np.append(angles, 0.0), np.append(often * views.rotation_probability, 1 - views.rotation_probability)),
        _grid(views.scale, SCALES),
        _grid(2 * half_y * views.shift, SHIFTS),
        _grid(2 * half_x * views.shift, SHIFTS),
        _grid(half_y, POINTS),
        _grid(half_x, POINTS),
    ]
    angle, scale, down, right, y, x = np.ix_(*(places for places, _ in axes))
    across = (1 + scale) * (np.cos(angle) * x - np.sin(angle) * y) + right
    along = (1 + scale) * (np.sin(angle) * x + np.cos(angle) * y) + down
    weights = math.prod(np.ix_(*(weights for _, weights in axes)))
    return np.maximum(np.abs(across) - half_x, np.abs(along) - half_y).ravel(), np.asarray(weights).ravel()


def _grid(reach: float, steps: int) -> tuple[Float[np.ndarray, " M"], Float[np.ndarray, " M"]]:
    """Evenly spaced places from -reach to reach, and the share of the range for which each stands."""
    if reach == 0:
        return np.zeros(1), np.ones(1)
    weights = np.full(steps, 1 / (steps - 1))
    weights[[0, -1]] /= 2
    return np.linspace(-reach, reach, steps), weights
