"""The head: face, hair and hats, which tell where it looks."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from pipeline.drawn.appearance import Appearance, Colour, shade
from pipeline.drawn.outline import Array, Part, Pen, Shape, ellipsoid, fixed, patch, shaded, tube

RADII = np.array([0.37, 0.52, 0.43])
"""Half axes of the skull (right, up, forward) in head lengths."""
BEHIND = 0.32
"""Cosine to the line of sight beyond which a head that faces away hides its own nose."""
HAIR = {"short": (1.05, 34.0), "full": (1.2, 38.0), "long": (1.09, 26.0), "bun": (1.06, 32.0), "cap": (1.04, 24.0)}
"""Of each haircut: its size against the skull, and the latitude at the back of the head of its middle, in degrees."""
WHITE: Colour = (238, 240, 242)
DARK: Colour = (30, 28, 30)


@dataclass(frozen=True, slots=True)
class Skull:
    """Where a head is: in camera axes, metres."""

    middle: Float[NDArray[np.float64], "T 3"]
    axes: Float[NDArray[np.float64], "T 3 3"]
    """Rows are right, up and forward, one head length long."""

    def at(self, right: float, up: float, forward: float) -> Float[NDArray[np.float64], "T 3"]:
        """A point given in head lengths from the middle."""
        return np.asarray(self.middle + np.einsum("i,tij->tj", np.array([right, up, forward]), self.axes))

    def ball(self, scale: float = 1.0) -> Float[NDArray[np.float64], "T 3 3"]:
        """Half axes of the skull."""
        return np.asarray(self.axes * (RADII * scale)[:, None])


def head_parts(pen: Pen, skull: Skull, appearance: Appearance) -> list[Part]:
    """The head and the hair that hangs or stands away from it."""
    parts = [Part(skull.middle[:, 2], _head(pen, skull, appearance))]
    if appearance.haircut == "long":
        parts.append(_ball(pen, skull, at=(0.0, -0.3, -0.14), radii=(0.43, 0.66, 0.3), colour=appearance.hair))
    if appearance.haircut == "bun":
        parts.append(_ball(pen, skull, at=(0.0, 0.36, -0.44), radii=(0.2, 0.2, 0.2), colour=appearance.hair))
    return parts


def _ball(
    pen: Pen, skull: Skull, *, at: tuple[float, float, float], radii: tuple[float, float, float], colour: Colour
) -> Part:
    middle = skull.at(*at)
    return Part(middle[:, 2], ellipsoid(pen, middle, skull.axes * np.array(radii)[:, None], colour=shade(colour, 0.9)))


def _head(pen: Pen, skull: Skull, appearance: Appearance) -> list[Shape]:
    """Ears, skull, face and hat in the order of painting."""
    covered = appearance.haircut in ("long", "hood")
    shapes = [] if covered else _ears(pen, skull, appearance.skin)
    if appearance.haircut == "cap":
        shapes += _brim(pen, skull, appearance.accent, ahead=False)
    shapes += _cover(pen, skull, appearance)
    shapes += _face(pen, skull, appearance)
    if appearance.haircut == "cap":
        dome = patch(pen, skull.middle, skull.ball(1.1), at=(180.0, 76.0), size=(78.0, 78.0), colour=appearance.accent)
        shapes += [dome, *_brim(pen, skull, appearance.accent, ahead=True)]
    return shapes


def _cover(pen: Pen, skull: Skull, appearance: Appearance) -> list[Shape]:
    """The skull with what grows or is worn on it."""
    if appearance.haircut == "hood":
        return _hood(pen, skull, appearance)
    shapes = ellipsoid(pen, skull.middle, skull.ball(), colour=appearance.skin)
    if appearance.haircut == "bald":
        return shapes
    scale, latitude = HAIR[appearance.haircut]
    for size, lift, tone in ((79.0, 0.0, 0.82), (66.0, 4.0, 1.0), (40.0, 10.0, 1.15)):
        spot = (180.0, latitude + lift)
        hair = shade(appearance.hair, tone)
        shapes.append(patch(pen, skull.middle, skull.ball(scale), at=spot, size=(size, size), colour=hair))
    return shapes


def _hood(pen: Pen, skull: Skull, appearance: Appearance) -> list[Shape]:
    """A hood of the shirt's cloth around the face."""
    shapes = ellipsoid(pen, skull.at(0.0, 0.02, -0.03), skull.ball(1.18), colour=appearance.top)
    for size, tone in ((52.0, 0.84), (46.0, 1.0)):
        skin = shade(appearance.skin, tone)
        shapes.append(patch(pen, skull.middle, skull.ball(), at=(0.0, -14.0), size=(size, size + 4), colour=skin))
    return shapes


def _face(pen: Pen, skull: Skull, appearance: Appearance) -> list[Shape]:
    """Beard, eyes, brows, nose and mouth; each is seen only from where it faces the camera."""
    ball = skull.ball(1.01)
    shapes = []

    def spot(longitude: float, latitude: float, size: tuple[float, float], colour: Colour) -> None:
        shapes.append(patch(pen, skull.middle, ball, at=(longitude, latitude), size=size, colour=colour))

    if appearance.beard:
        spot(0.0, -50.0, (48.0, 30.0), appearance.hair)
    for sign in (-1.0, 1.0):
        spot(sign * 24, 4.0, (9.0, 6.0), WHITE)
        spot(sign * 23, 4.0, (4.5, 6.0), DARK)
        spot(sign * 25, 16.0, (11.0, 2.5), shade(appearance.hair, 0.8))
        if appearance.glasses:
            spot(sign * 25, 3.0, (17.0, 11.0), DARK)
    spot(0.0, -36.0, (15.0, 4.0), (70, 60, 150))
    tip = tube(pen, skull.at(0.0, -0.02, 0.38), skull.at(0.0, -0.1, 0.47), radii=(0.012, 0.021))
    nose = shaded(pen, tip, shade(appearance.skin, 0.93))
    ahead = _toward(skull) > -BEHIND
    return shapes + [Shape(shape.points, shape.colour, ahead) for shape in nose]


def _ears(pen: Pen, skull: Skull, skin: Colour) -> list[Shape]:
    shapes = []
    for sign in (-1.0, 1.0):
        axes = skull.axes * np.array([0.06, 0.11, 0.08])[:, None]
        shapes += ellipsoid(pen, skull.at(0.37 * sign, -0.04, -0.02), axes, colour=shade(skin, 0.9))
    return shapes


def _brim(pen: Pen, skull: Skull, colour: Colour, *, ahead: bool) -> list[Shape]:
    """A cap's brim, for the instants at which the head faces the camera (`ahead`) or does not."""
    turn = np.linspace(-np.pi / 2, np.pi / 2, 9)
    ring = np.stack([0.36 * np.sin(turn), np.full(9, 0.2), 0.3 + 0.46 * np.cos(turn)], axis=1)
    points = skull.middle[:, None] + np.einsum("ni,tij->tnj", ring, skull.axes)
    drawn = fixed(pen.camera.project(points))
    return [Shape(drawn, shade(colour, 0.75), (_toward(skull) > 0) == ahead)]


def _toward(skull: Skull) -> Array:
    """Cosine between where the head faces and the direction to the camera; (T,)."""
    forward = skull.axes[:, 2] / np.linalg.norm(skull.axes[:, 2], axis=1, keepdims=True)
    sight = -skull.middle / np.linalg.norm(skull.middle, axis=1, keepdims=True)
    return np.asarray(np.sum(forward * sight, axis=1))
