"""Things that stand before people: poles, crates, plants, boards, fences."""

from collections.abc import Callable

import numpy as np

from pipeline.drawn.appearance import Colour, shade
from pipeline.drawn.camera import Camera
from pipeline.drawn.outline import Array, Part, Pen, Shape, ellipsoid, fixed, shaded, tube
from pipeline.drawn.texture import cloth_colour, leaf_colour, wall_colour


def draw_occluder(
    camera: Camera, *, light: tuple[float, float], place: tuple[float, float], rng: np.random.Generator
) -> list[Part]:
    """A random thing that stands on the ground at `place` (right and away, metres)."""
    kind = KINDS[int(rng.integers(len(KINDS)))]
    return [Part(part.depth, part.shapes) for part in kind(Pen(camera, light), place, rng)]


def _at(pen: Pen, right: float, up: float, away: float) -> Array:
    """A still point of the world in camera axes at every instant; (T, 3)."""
    count = len(pen.camera.focal)
    return pen.camera.view(np.broadcast_to(np.array([right, up, away]), (count, 3)))


def _face(pen: Pen, corners: list[tuple[float, float, float]], colour: Colour) -> Shape:
    """A flat face between corners of the world."""
    points = np.stack([pen.camera.project(_at(pen, *corner)) for corner in corners], axis=1)
    return Shape(fixed(points), colour)


def _bar(
    pen: Pen, start: tuple[float, float, float], end: tuple[float, float, float], *, radius: float, colour: Colour
) -> list[Shape]:
    limb = tube(pen, _at(pen, *start), _at(pen, *end), radii=(radius, radius), ends=(0.2, 0.2))
    return shaded(pen, limb, colour)


def _one(pen: Pen, place: tuple[float, float], shapes: list[Shape]) -> list[Part]:
    return [Part(_at(pen, place[0], 0.0, place[1])[:, 2], shapes)]


def pole(pen: Pen, place: tuple[float, float], rng: np.random.Generator) -> list[Part]:
    """A lamp post, tree trunk or column."""
    x, z = place
    radius, colour = float(rng.uniform(0.04, 0.13)), wall_colour(rng)
    shapes = _bar(pen, (x, 0.0, z), (x, 4.5, z), radius=radius, colour=colour)
    shapes += _bar(pen, (x, 0.0, z), (x, 0.25, z), radius=1.5 * radius, colour=shade(colour, 0.8))
    return _one(pen, place, shapes)


def crate(pen: Pen, place: tuple[float, float], rng: np.random.Generator) -> list[Part]:
    """A box with a lid and slats."""
    x, z = place
    wide, high, deep = (float(rng.uniform(low, up)) for low, up in ((0.25, 0.5), (0.4, 0.9), (0.2, 0.5)))
    colour = cloth_colour(rng)
    side = x - wide if x > 0 else x + wide
    shapes = [
        _face(
            pen, [(side, 0.0, z), (side, high, z), (side, high, z + deep), (side, 0.0, z + deep)], shade(colour, 0.65)
        ),
        _face(
            pen,
            [(x - wide, high, z), (x + wide, high, z), (x + wide, high, z + deep), (x - wide, high, z + deep)],
            shade(colour, 1.2),
        ),
        _face(pen, [(x - wide, 0.0, z), (x + wide, 0.0, z), (x + wide, high, z), (x - wide, high, z)], colour),
    ]
    for part in (0.2, 0.5, 0.8):
        low, up = (part - 0.06) * high, (part + 0.06) * high
        face = [(x - 0.9 * wide, low, z), (x + 0.9 * wide, low, z), (x + 0.9 * wide, up, z), (x - 0.9 * wide, up, z)]
        shapes.append(_face(pen, face, shade(colour, 0.8)))
    return _one(pen, place, shapes)


def plant(pen: Pen, place: tuple[float, float], rng: np.random.Generator) -> list[Part]:
    """A bush in a pot."""
    x, z = place
    high, colour = float(rng.uniform(0.3, 0.5)), leaf_colour(rng)
    pot = tube(pen, _at(pen, x, 0.0, z), _at(pen, x, high, z), radii=(0.14, 0.2), ends=(0.2, 0.2))
    shapes = shaded(pen, pot, wall_colour(rng))
    for _ in range(26):
        right, up = rng.normal(0, 0.16), high + abs(rng.normal(0.2, 0.22))
        tone = float(0.75 + 0.4 * (up - high) + rng.uniform(-0.1, 0.1))
        tip = (x + right * 1.8, up + float(rng.uniform(0.05, 0.25)), z)
        leaf = tube(pen, _at(pen, x + right, up, z), _at(pen, *tip), radii=(0.015, 0.05, 0.01), ends=(0.3, 0.1))
        shapes += shaded(pen, leaf, shade(colour, tone))[:2]
    return _one(pen, place, shapes)


def board(pen: Pen, place: tuple[float, float], rng: np.random.Generator) -> list[Part]:
    """A sign on two legs."""
    x, z = place
    wide, low, high = float(rng.uniform(0.25, 0.5)), float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.3, 0.6))
    colour, ink = cloth_colour(rng), cloth_colour(rng)
    shapes: list[Shape] = []
    for leg in (x - 0.8 * wide, x + 0.8 * wide):
        shapes += _bar(pen, (leg, 0.0, z), (leg, low, z), radius=0.025, colour=(90, 92, 95))

    def plate(scale: float, tone: Colour) -> Shape:
        middle, half = low + high / 2, scale * high / 2
        left, right = x - scale * wide, x + scale * wide
        return _face(
            pen,
            [(left, middle - half, z), (right, middle - half, z), (right, middle + half, z), (left, middle + half, z)],
            tone,
        )

    return _one(pen, place, [*shapes, plate(1.0, shade(colour, 0.7)), plate(0.92, colour), plate(0.45, ink)])


def fence(pen: Pen, place: tuple[float, float], rng: np.random.Generator) -> list[Part]:
    """A barrier of rails and posts."""
    x, z = place
    high, colour = float(rng.uniform(0.6, 1.0)), wall_colour(rng)
    shapes: list[Shape] = []
    for up in np.linspace(0.15, 1.0, 3) * high:
        shapes += _bar(pen, (x - 0.75, float(up), z), (x + 0.75, float(up), z), radius=0.022, colour=colour)
    for post in np.linspace(-0.75, 0.75, 6):
        shapes += _bar(pen, (x + post, 0.0, z), (x + post, high, z), radius=0.018, colour=shade(colour, 0.9))
    return _one(pen, place, shapes)


def ball(pen: Pen, place: tuple[float, float], rng: np.random.Generator) -> list[Part]:
    """A big exercise ball."""
    x, z = place
    radius = float(rng.uniform(0.22, 0.38))
    axes = np.einsum("tij,kj->tki", pen.camera.rotation, np.eye(3) * radius)
    return _one(pen, place, ellipsoid(pen, _at(pen, x, radius, z), axes, colour=cloth_colour(rng)))


KINDS: tuple[Callable[[Pen, tuple[float, float], np.random.Generator], list[Part]], ...] = (
    pole, pole, crate, plant, board, fence, ball,
)  # fmt: skip
"""Every kind of thing; poles stand twice, as they do in streets."""
