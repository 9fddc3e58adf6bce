"""Backdrops: wide still pictures of places, over which the camera turns."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.drawn.appearance import Colour, shade
from pipeline.drawn.ground import lay_ground
from pipeline.drawn.texture import cloth_colour, clouds, gradient, speckle
from pipeline.drawn.view import StillView
from pipeline.drawn.wall import hang_pictures, put_houses, put_trees, tile_wall

Image = NDArray[np.uint8]


def paint_backdrop(view: StillView, rng: np.random.Generator) -> Image:
    """A random place: sky or walls behind, and ground in perspective in front."""
    place = PLACES[int(rng.integers(len(PLACES)))]
    return speckle(place(view, rng), rng, strength=float(rng.uniform(2, 6)))


def _canvas(view: StillView) -> Image:
    return np.zeros((*view.size, 3), np.uint8)


def _sky(view: StillView, canvas: Image, *, end: int, rng: np.random.Generator) -> None:
    """A sky with clouds down to row `end`."""
    tone = rng.uniform(0.75, 1.0)
    top = shade((235, 190, 130), tone) if rng.random() < 0.7 else shade((215, 208, 202), tone)
    low = shade((240, 228, 214), tone) if rng.random() < 0.8 else shade((190, 205, 245), tone)
    sky = gradient((end, view.size[1]), top, low)
    mask = np.clip((clouds((end, view.size[1]), rng, octaves=5) - rng.uniform(0.45, 0.6)) * 3, 0, 1)[..., None]
    canvas[:end] = np.round(sky * (1 - 0.8 * mask) + 245 * tone * 0.8 * mask).astype(np.uint8)


def street(view: StillView, rng: np.random.Generator) -> Image:
    """Houses along a paved street."""
    canvas, far = _canvas(view), float(rng.uniform(14, 26))
    end = view.row(far)
    _sky(view, canvas, end=end, rng=rng)
    put_houses(canvas, base=end, metre=view.metres(far), rng=rng)
    lay_ground(view, canvas, kind=str(rng.choice(["asphalt", "paving", "cobbles"])), start=end, rng=rng)
    return canvas


def park(view: StillView, rng: np.random.Generator) -> Image:
    """Trees and a meadow."""
    canvas, far = _canvas(view), float(rng.uniform(18, 35))
    end = view.row(far)
    _sky(view, canvas, end=end, rng=rng)
    put_trees(canvas, base=end, metre=view.metres(far), rng=rng)
    lay_ground(view, canvas, kind=str(rng.choice(["grass", "grass", "sand"])), start=end, rng=rng)
    return canvas


def hall(view: StillView, rng: np.random.Generator) -> Image:
    """A sports hall: boarded floor with lines, panelled wall, banners."""
    canvas, far = _canvas(view), float(rng.uniform(10, 14))
    end = view.row(far)
    tile_wall(canvas, end=end, metre=view.metres(far), rng=rng)
    hang_pictures(canvas, end=end, metre=view.metres(far), rng=rng, banners=True)
    lay_ground(view, canvas, kind="boards", start=end, rng=rng, lines=True)
    return canvas


def room(view: StillView, rng: np.random.Generator) -> Image:
    """A room with pictures on a patterned wall."""
    canvas, far = _canvas(view), float(rng.uniform(8, 10))
    end = view.row(far)
    tile_wall(canvas, end=end, metre=view.metres(far), rng=rng)
    hang_pictures(canvas, end=end, metre=view.metres(far), rng=rng, banners=False)
    lay_ground(view, canvas, kind=str(rng.choice(["boards", "tiles", "carpet"])), start=end, rng=rng)
    return canvas


def court(view: StillView, rng: np.random.Generator) -> Image:
    """A sports ground with lines before a fence and trees or houses."""
    canvas, far = _canvas(view), float(rng.uniform(14, 22))
    end = view.row(far)
    _sky(view, canvas, end=end, rng=rng)
    scenery: Callable[..., None] = put_trees if rng.random() < 0.6 else put_houses
    scenery(canvas, base=end, metre=view.metres(far), rng=rng)
    _boards(canvas, end=end, metre=view.metres(far), rng=rng)
    lay_ground(view, canvas, kind=str(rng.choice(["rubber", "grass", "asphalt"])), start=end, rng=rng, lines=True)
    return canvas


def _boards(canvas: Image, *, end: int, metre: float, rng: np.random.Generator) -> None:
    """A row of coloured boards along the edge of a sports ground."""
    x, top = 0, end - round(metre * rng.uniform(0.8, 1.1))
    while x < canvas.shape[1]:
        width = round(metre * rng.uniform(2, 4))
        colour: Colour = cloth_colour(rng)
        cv2.rectangle(canvas, (x, top), (x + width, end), colour, -1)
        for _ in range(int(rng.integers(2, 6))):
            left = x + int(rng.integers(0, max(1, width - 8)))
            right = left + int(rng.integers(4, 14))
            cv2.rectangle(canvas, (left, top + 4), (right, max(top + 5, end - 4)), cloth_colour(rng), -1)
        cv2.line(canvas, (x, top), (x, end), shade(colour, 0.5), 1)
        x += width


PLACES: tuple[Callable[[StillView, np.random.Generator], Image], ...] = (street, park, hall, room, court)
"""Every kind of place."""
