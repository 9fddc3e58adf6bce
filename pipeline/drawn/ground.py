"""The ground, laid in perspective."""

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from pipeline.drawn.appearance import Colour, shade
from pipeline.drawn.texture import cloth_colour, clouds, leaf_colour, wall_colour
from pipeline.drawn.view import StillView

Image = NDArray[np.uint8]
TILE = 768
METRE = 96
"""Pixels a metre of the ground seen from above: the texture repeats every 8 metres."""


def lay_ground(
    view: StillView, canvas: Image, *, kind: str, start: int, rng: np.random.Generator, lines: bool = False
) -> None:
    """Cover `canvas` from row `start` down with ground of a kind."""
    above = _texture(kind, rng)
    if lines:
        _mark(above, rng)
    seen = cv2.warpPerspective(
        above, _from_above(view, float(rng.uniform(0, np.pi))), view.size[::-1], borderMode=cv2.BORDER_WRAP
    )
    rows = np.arange(start, view.size[0], dtype=np.float32)
    haze = np.clip(0.75 - (rows - start) / 60, 0, 1)[:, None, None]
    mean = above.mean(axis=(0, 1))
    canvas[start:] = np.round(seen[start:] * (1 - haze) + mean * haze).astype(np.uint8)


def _from_above(view: StillView, turn: float) -> NDArray[np.float64]:
    """From pixels of the texture to pixels of the picture."""
    cos, sin = np.cos(turn) / METRE, np.sin(turn) / METRE
    place = np.array([[cos, -sin, -4.0], [sin, cos, 1.0], [0.0, 0.0, 1.0]])
    project = np.array([[view.focal, view.middle, 0.0], [0.0, view.horizon, view.focal * view.height], [0.0, 1.0, 0.0]])
    return np.asarray(project @ place)


def _texture(kind: str, rng: np.random.Generator) -> UInt8[NDArray[np.uint8], "H W 3"]:
    """Eight by eight metres of ground seen from above."""
    colour = {"grass": leaf_colour, "rubber": cloth_colour}.get(kind, wall_colour)(rng)
    if kind == "sand":
        colour = shade((150, 190, 215), float(rng.uniform(0.75, 1.05)))
    if kind == "boards":
        colour = shade((96, 140, 188), float(rng.uniform(0.6, 1.1)))
    base = np.full((TILE, TILE, 3), colour, np.uint8)
    spacing = {"tiles": 0.5, "paving": 0.8, "cobbles": 0.25, "boards": 0.2}.get(kind)
    if spacing is not None:
        _joints(base, colour, step=spacing * float(rng.uniform(0.8, 1.3)), boards=kind == "boards", rng=rng)
    depth = {"grass": 0.5, "carpet": 0.3, "sand": 0.25}.get(kind, 0.18)
    noise = 1 + depth * (clouds((TILE, TILE), rng, octaves=8) - 0.5)
    grain = rng.normal(1, {"grass": 0.12}.get(kind, 0.04), (TILE, TILE)).astype(np.float32)
    return np.clip(base * (noise * grain)[..., None], 0, 255).astype(np.uint8)


def _joints(base: Image, colour: Colour, *, step: float, boards: bool, rng: np.random.Generator) -> None:
    """Plates or boards of slightly different tones with dark joints between them."""
    width = round(step * METRE)
    length = 10 * width if boards else width
    for row, y in enumerate(range(0, TILE, width)):
        shift = int(rng.integers(length)) if boards else (row % 2) * width // 2
        for x in range(-shift, TILE, length):
            tone = shade(colour, float(rng.uniform(0.88, 1.12)))
            cv2.rectangle(base, (x, y), (x + length, y + width), tone, -1)
            cv2.rectangle(base, (x, y), (x + length, y + width), shade(colour, 0.72), 1)


def _mark(base: Image, rng: np.random.Generator) -> None:
    """Painted lines and a circle of a court."""
    colour = (235, 238, 240) if rng.random() < 0.7 else cloth_colour(rng)
    for _ in range(int(rng.integers(2, 4))):
        at = int(rng.integers(TILE))
        cv2.line(base, (at, 0), (at, TILE), colour, 6)
    cv2.line(base, (0, TILE // 3), (TILE, TILE // 3), colour, 6)
    cv2.circle(base, (TILE // 2, TILE // 3), 150, colour, 6)
