"""What stands at the end of the ground: walls, houses, trees."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.drawn.appearance import shade
from pipeline.drawn.texture import cloth_colour, clouds, gradient, leaf_colour, wall_colour

Image = NDArray[np.uint8]


def tile_wall(canvas: Image, *, end: int, metre: float, rng: np.random.Generator) -> None:
    """A wall down to row `end`: bricks, panels, stripes or plaster, with a skirting board."""
    width = canvas.shape[1]
    colour = wall_colour(rng)
    canvas[:end] = np.round(gradient((end, width), shade(colour, 0.85), colour)).astype(np.uint8)
    kind = str(rng.choice(["bricks", "panels", "stripes", "plaster"]))
    if kind == "stripes":
        step = max(4, round(metre * rng.uniform(0.15, 0.5)))
        other = shade(colour, float(rng.uniform(0.8, 0.92)))
        for x in range(0, width, 2 * step):
            cv2.rectangle(canvas, (x, 0), (x + step, end), other, -1)
    if kind in ("bricks", "panels"):
        high = max(5, round(metre * (0.18 if kind == "bricks" else rng.uniform(0.9, 1.5))))
        long = round(high * (2.6 if kind == "bricks" else 1.3))
        for row, y in enumerate(range(end, -high, -high)):
            for x in range(-(row % 2) * long // 2 if kind == "bricks" else 0, width, long):
                tone = shade(colour, float(rng.uniform(0.88, 1.1)))
                cv2.rectangle(canvas, (x, y - high), (x + long, y), tone, -1)
                cv2.rectangle(canvas, (x, y - high), (x + long, y), shade(colour, 0.75), 1)
    light = (0.82 + 0.3 * clouds((end, width), rng, octaves=3))[..., None]
    canvas[:end] = np.clip(canvas[:end] * light, 0, 255).astype(np.uint8)
    cv2.rectangle(canvas, (0, end - max(2, round(0.12 * metre))), (width, end), shade(colour, 0.55), -1)


def hang_pictures(canvas: Image, *, end: int, metre: float, rng: np.random.Generator, banners: bool) -> None:
    """Windows, doors and pictures, or long banners, on a wall."""
    x = int(rng.integers(0, 40))
    while x < canvas.shape[1]:
        kind = "banner" if banners else str(rng.choice(["picture", "picture", "window", "door", "shelf"]))
        wide = round(metre * rng.uniform(0.6, 1.8))
        high = round(metre * {"door": 2.1, "window": 1.4, "banner": 0.9, "shelf": 1.9}.get(kind, rng.uniform(0.5, 1.2)))
        low = end if kind in ("door", "shelf") else end - round(metre * rng.uniform(0.9, 1.4))
        if kind == "banner":
            low -= round(metre * 0.8)
        _fill(canvas, kind=kind, corner=(x, low - high), far=(x + wide, low), rng=rng)
        x += wide + round(metre * rng.uniform(0.2, 1.6))


def _fill(canvas: Image, *, kind: str, corner: tuple[int, int], far: tuple[int, int], rng: np.random.Generator) -> None:
    """One thing on a wall between two corners."""
    colour = {"window": (225, 215, 190), "door": wall_colour(rng), "shelf": (60, 90, 130)}.get(kind, cloth_colour(rng))
    frame = shade(wall_colour(rng), 0.6)
    cv2.rectangle(canvas, corner, far, colour, -1)
    wide, high = far[0] - corner[0], far[1] - corner[1]
    for _ in range({"picture": 5, "banner": 7, "shelf": 16}.get(kind, 0)):
        x, y = corner[0] + int(rng.integers(max(1, wide - 4))), corner[1] + int(rng.integers(max(1, high - 4)))
        right, low = min(far[0], x + int(rng.integers(4, 22))), min(far[1], y + int(rng.integers(4, 22)))
        cv2.rectangle(canvas, (x, y), (right, low), cloth_colour(rng), -1)
    if kind == "window":
        middle = (corner[0] + wide // 2, corner[1] + high // 2)
        cv2.line(canvas, (middle[0], corner[1]), (middle[0], far[1]), frame, 2)
        cv2.line(canvas, (corner[0], middle[1]), (far[0], middle[1]), frame, 2)
    cv2.rectangle(canvas, corner, far, frame, 2)


def put_houses(canvas: Image, *, base: int, metre: float, rng: np.random.Generator) -> None:
    """A row of houses with windows that stands on row `base`."""
    x = -int(rng.integers(0, 60))
    while x < canvas.shape[1]:
        wide, high = round(metre * rng.uniform(4, 9)), round(metre * rng.uniform(4, 13))
        colour, glass = wall_colour(rng), shade((170, 150, 120), float(rng.uniform(0.4, 1.4)))
        cv2.rectangle(canvas, (x, base - high), (x + wide, base), colour, -1)
        cv2.rectangle(canvas, (x, base - high), (x + wide, base - high + round(0.3 * metre)), shade(colour, 0.6), -1)
        step, tall = round(metre * rng.uniform(1.3, 2.2)), round(metre * 2.7)
        for left in range(x + step // 3, x + wide - step // 2, max(step, 3)):
            for top in range(base - high + round(0.8 * metre), base - round(metre), max(tall, 3)):
                corner = (left + round(0.5 * step), min(base, top + round(0.5 * tall)))
                cv2.rectangle(canvas, (left, top), corner, shade(glass, float(rng.uniform(0.7, 1.2))), -1)
                cv2.rectangle(canvas, (left, top), corner, shade(colour, 1.15), 1)
        cv2.line(canvas, (x + wide, base - high), (x + wide, base), shade(colour, 0.5), 2)
        x += wide


def put_trees(canvas: Image, *, base: int, metre: float, rng: np.random.Generator) -> None:
    """Hills, a hedge and trees that stand on row `base`."""
    width = canvas.shape[1]
    ridge = clouds((1, width), rng, octaves=4)[0]
    hill = np.stack([np.arange(width), base - metre * (0.5 + 4 * ridge)], axis=1)
    outline = np.concatenate([hill, [[width, base], [0, base]]])
    cv2.fillPoly(canvas, [np.round(outline).astype(np.int32)], shade(leaf_colour(rng), 0.8))
    for _ in range(int(rng.integers(4, 11))):
        x, high = int(rng.integers(width)), metre * rng.uniform(3, 8)
        trunk = round(0.045 * high)
        cv2.rectangle(canvas, (x - trunk, base - round(0.6 * high)), (x + trunk, base), (40, 60, 84), -1)
        _crown(canvas, middle=(float(x), base - 0.75 * high), radius=float(0.32 * high), rng=rng)
    for x in range(0, width, max(2, round(0.3 * metre))):
        _crown(canvas, middle=(float(x), base - 0.2 * metre), radius=0.35 * metre, rng=rng, leaves=3)


def _crown(
    canvas: Image, *, middle: tuple[float, float], radius: float, rng: np.random.Generator, leaves: int = 40
) -> None:
    """A cloud of leaves, lighter towards the top."""
    colour = leaf_colour(rng)
    for _ in range(leaves):
        angle, reach = rng.uniform(0, 2 * np.pi), radius * np.sqrt(rng.random())
        x, y = middle[0] + reach * np.cos(angle), middle[1] + reach * np.sin(angle)
        tone = 1.0 - 0.35 * (y - middle[1]) / max(radius, 1) + rng.uniform(-0.12, 0.12)
        size = max(1, round(radius * rng.uniform(0.12, 0.3)))
        cv2.circle(canvas, (round(x), round(y)), size, shade(colour, tone), -1, cv2.LINE_AA)
