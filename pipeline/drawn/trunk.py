"""The trunk: shirt, its pattern, and what is on the chest and on the back."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from pipeline.drawn.appearance import Appearance, Colour, shade
from pipeline.drawn.body import Proportions
from pipeline.drawn.outline import Array, Part, Pen, Shape, band, fixed, oval_tube, shaded, stretch

LEVELS = np.array([-0.16, 0.0, 0.18, 0.42, 0.7, 0.92, 1.03])
"""Rings from crotch to neck, in parts of the way from hips to neck."""
WIDTHS = np.array([0.6, 0.92, 0.9, 0.78, 0.96, 0.97, 0.42])
"""Half widths of the rings against the shoulders'."""
DEPTHS = np.array([0.085, 0.115, 0.11, 0.1, 0.12, 0.1, 0.058])
"""Half depths of the rings, in metres for a person of 1.75 m."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """Where a trunk is: in camera axes, metres."""

    pelvis: Float[NDArray[np.float64], "T 3"]
    waist: Float[NDArray[np.float64], "T 3"]
    neck: Float[NDArray[np.float64], "T 3"]
    pelvis_axes: Float[NDArray[np.float64], "T 3 3"]
    """Rows are right, up and forward, of length 1."""
    chest_axes: Float[NDArray[np.float64], "T 3 3"]
    proportions: Proportions

    def rings(self, at: Float[NDArray[np.float64], " R"]) -> tuple[Array, Array]:
        """Middles (T, R, 3) and half axes right and forward (T, R, 2, 3) of the rings at these levels."""
        size = self.proportions.height / 1.75
        bend = 0.09 / 0.29
        low = np.clip(at / bend, None, 1)[:, None]
        high = np.clip((at - bend) / (1 - bend), 0, None)[:, None]
        middle = (
            self.pelvis[:, None] + low * (self.waist - self.pelvis)[:, None] + high * (self.neck - self.waist)[:, None]
        )
        part = np.clip((at + 0.1) / 0.9, 0, 1)[:, None, None]
        axes = (1 - part) * self.pelvis_axes[:, None, ::2] + part * self.chest_axes[:, None, ::2]
        width = self.proportions.shoulder * 0.93 * np.interp(at, LEVELS, WIDTHS)
        depth = size * self.proportions.girth**0.9 * np.interp(at, LEVELS, DEPTHS)
        return middle, axes * np.stack([width, depth], axis=1)[..., None]

    def surface(
        self, levels: Float[NDArray[np.float64], " N"], turns: Float[NDArray[np.float64], " N"], grown: float = 1.02
    ) -> tuple[Float[NDArray[np.float64], "T N 3"], Bool[NDArray[np.bool_], " T"]]:
        """Points on the skin at levels and turns (radians to the right of the front), and when all are in sight."""
        middle, axes = self.rings(levels)
        out = np.stack([np.sin(turns), np.cos(turns)], axis=1)
        points = middle + grown * np.einsum("na,tnaj->tnj", out, axes)
        normals = np.einsum("na,tnaj->tnj", out, axes / np.sum(axes * axes, axis=-1, keepdims=True))
        facing = -np.sum(normals * points, axis=-1) / np.linalg.norm(normals, axis=-1)
        return points, np.asarray((facing > 0.1).all(axis=1))


def trunk_parts(pen: Pen, trunk: Trunk, appearance: Appearance) -> list[Part]:
    """Seat of the trousers, shirt and a backpack."""
    depth = (trunk.pelvis[:, 2] + trunk.neck[:, 2]) / 2
    seat = oval_tube(pen, *trunk.rings(np.linspace(-0.16, 0.3, 5)), ends=(0.6, 0.2))
    shapes = shaded(pen, seat, appearance.bottom)
    middle, axes = trunk.rings(np.array([0.02, 0.2, 0.42, 0.7, 0.85, 0.95, 1.03]))
    shirt = oval_tube(pen, middle, axes * (1 + 1.5 * appearance.loose), ends=(0.1, 0.25))
    shapes += shaded(pen, shirt, appearance.top)
    if appearance.pattern == "hoops":
        starts = np.arange(appearance.pattern_count) / appearance.pattern_count + 0.03
        width = 0.45 / appearance.pattern_count
        shapes += [band(stretch(shirt, s, min(s + width, 1.0)), appearance.pattern_colour) for s in starts]
    if appearance.pattern in ("stripes", "checks"):
        shapes += _stripes(pen, trunk, appearance)
    if appearance.pattern == "checks":
        starts = np.linspace(0.05, 0.9, appearance.pattern_count)
        shapes += [band(stretch(shirt, s, s + 0.035), appearance.pattern_colour) for s in starts]
    if appearance.pattern == "dots":
        shapes += _dots(pen, trunk, appearance)
    shapes += _front(pen, trunk, appearance) + _back(pen, trunk, appearance)
    parts = [Part(depth, shapes)]
    if appearance.back == "backpack":
        parts.append(_backpack(pen, trunk, appearance.accent))
    return parts


def _quad(pen: Pen, trunk: Trunk, *, levels: tuple[float, float], turns: tuple[float, float], colour: Colour) -> Shape:
    """A four-sided piece of cloth on the trunk."""
    low, high = levels
    corners = np.array([(low, turns[0]), (high, turns[0]), (high, turns[1]), (low, turns[1])])
    points, shown = trunk.surface(corners[:, 0], corners[:, 1])
    return Shape(fixed(pen.camera.project(points)), colour, shown)


def _strip(pen: Pen, trunk: Trunk, *, levels: tuple[float, float], turn: float, half: float, colour: Colour) -> Shape:
    """An upright strip that follows the trunk; `half` its width in radians."""
    at = np.linspace(*levels, 5)
    ring = np.concatenate([at, at[::-1]])
    turns = np.repeat([turn - half, turn + half], 5)
    points, shown = trunk.surface(ring, turns)
    return Shape(fixed(pen.camera.project(points)), colour, shown)


def _stripes(pen: Pen, trunk: Trunk, appearance: Appearance) -> list[Shape]:
    count = 2 * appearance.pattern_count
    turns = (np.arange(count) + 0.5) * 2 * np.pi / count
    return [
        _strip(pen, trunk, levels=(0.03, 0.93), turn=turn, half=1.2 / count, colour=appearance.pattern_colour)
        for turn in turns
    ]


def _dots(pen: Pen, trunk: Trunk, appearance: Appearance) -> list[Shape]:
    circle = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    count = appearance.pattern_count
    shapes = []
    for row in range(count - 1):
        for column in range(count + 2):
            turn = (column + 0.5 * (row % 2)) * 2 * np.pi / (count + 2)
            level = 0.08 + 0.84 * row / (count - 1)
            points, shown = trunk.surface(level + 0.035 * np.sin(circle), turn + 0.14 * np.cos(circle))
            shapes.append(Shape(fixed(pen.camera.project(points)), appearance.pattern_colour, shown))
    return shapes


def _front(pen: Pen, trunk: Trunk, appearance: Appearance) -> list[Shape]:
    """A neckline of skin, what the chest shows, and the straps of a backpack."""
    neckline = np.array([(1.02, -0.5), (0.9, 0.0), (1.02, 0.5)])
    points, shown = trunk.surface(neckline[:, 0], neckline[:, 1])
    accent = appearance.accent
    shapes = []
    if appearance.front == "emblem":
        shapes.append(_quad(pen, trunk, levels=(0.52, 0.8), turns=(-0.55, 0.55), colour=accent))
        shapes.append(_quad(pen, trunk, levels=(0.6, 0.72), turns=(-0.3, 0.3), colour=shade(accent, 0.5)))
    if appearance.front == "zip":
        shapes.append(_strip(pen, trunk, levels=(0.03, 0.97), turn=0.0, half=0.07, colour=accent))
    if appearance.front == "tie":
        shapes.append(_strip(pen, trunk, levels=(0.4, 0.97), turn=0.0, half=0.13, colour=accent))
    if appearance.front == "vest":
        shapes += [
            _strip(pen, trunk, levels=(0.03, 0.97), turn=0.0, half=half, colour=colour)
            for half, colour in ((0.42, accent), (0.05, shade(accent, 0.6)))
        ]
    if appearance.back == "backpack":
        shapes += [
            _strip(pen, trunk, levels=(0.55, 0.97), turn=turn, half=0.1, colour=shade(accent, 0.8))
            for turn in (-0.65, 0.65)
        ]
    return [*shapes, Shape(fixed(pen.camera.project(points)), appearance.skin, shown)]


def _back(pen: Pen, trunk: Trunk, appearance: Appearance) -> list[Shape]:
    if appearance.back != "bar":
        return []
    turns = (np.pi - 0.6, np.pi + 0.6)
    return [
        _quad(pen, trunk, levels=levels, turns=turns, colour=appearance.accent) for levels in ((0.74, 0.8), (0.4, 0.68))
    ]


def _backpack(pen: Pen, trunk: Trunk, colour: Colour) -> Part:
    """A bag behind the chest."""
    middle, axes = trunk.rings(np.array([0.3, 0.5, 0.7, 0.86]))
    behind = middle - 1.75 * axes[:, :, 1]
    bag = oval_tube(pen, behind, axes * np.array([[0.72], [0.85]]), ends=(0.4, 0.6))
    shapes = shaded(pen, bag, colour)
    shapes.append(band(stretch(bag, 0.1, 0.45), shade(colour, 0.65), low=-0.6, high=0.6))
    return Part(behind.mean(axis=1)[:, 2], shapes)
