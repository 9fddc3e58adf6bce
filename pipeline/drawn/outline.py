"""Solids drawn by their outlines: tubes, ellipsoids and patches on them become polygons for every instant at once."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int32
from numpy.typing import NDArray

from pipeline.drawn.appearance import Colour, shade
from pipeline.drawn.camera import Camera

Array = NDArray[np.float64]
SHIFT = 4
"""Fractional bits of the polygons' coordinates, as OpenCV's drawing takes them."""
ROUND = np.deg2rad([68.0, 35.0, 0.0, -35.0, -68.0])
CIRCLE = np.linspace(0, 2 * np.pi, 18, endpoint=False)
TONES = ((1.0, 0.0, 0.74), (0.78, 0.2, 0.92), (0.48, 0.38, 1.07))
"""Shading of a round solid in bands: half width, shift towards the light, brightness."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One polygon of one colour that moves."""

    points: Int32[NDArray[np.int32], "T N 2"]
    """Corners (x, y) in pixels, times 2 to the power `SHIFT`."""
    colour: Colour
    shown: Bool[NDArray[np.bool_], " T"] | None = None
    """Whether it is drawn at each instant; None means always."""


@dataclass(frozen=True, slots=True)
class Part:
    """Shapes painted one after another at one depth."""

    depth: Float[NDArray[np.float64], " T"]
    """Metres away from the camera; what is farther is painted earlier."""
    shapes: list[Shape]


@dataclass(frozen=True, slots=True)
class Pen:
    """What turns solids into polygons: the camera, and where the light comes from in the image, (x, y)."""

    camera: Camera
    light: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tube:
    """A chain of R rings in the image."""

    centers: Float[NDArray[np.float64], "T R 2"]
    """Middle of each ring, in pixels."""
    across: Float[NDArray[np.float64], "T R 2"]
    """From the middle to the edge."""
    along: Float[NDArray[np.float64], "T R 2"]
    """How far the round end reaches beyond the ring."""


def fixed(points: Float[NDArray[np.float64], "*S 2"]) -> Int32[NDArray[np.int32], "*S 2"]:
    """Pixels as OpenCV's fixed-point numbers, held within 8,000 pixels of the image."""
    held = np.round(np.clip(points, -8000, 8000) * (1 << SHIFT))
    return np.ascontiguousarray(held, dtype=np.int32)


def tube(
    pen: Pen,
    start: Float[NDArray[np.float64], "T 3"],
    end: Float[NDArray[np.float64], "T 3"],
    *,
    radii: tuple[float, ...],
    part: tuple[float, float] = (0.0, 1.0),
    ends: tuple[float, float] = (1.0, 1.0),
) -> Tube:
    """A round limb with the given radii at equal steps from `start` to `end` (camera axes, metres).

    Args:
        pen: the camera and the light.
        start: middle of the first ring.
        end: middle of the last ring.
        radii: radii at equal steps, in metres.
        part: the stretch of it that is wanted, as parts of its length.
        ends: how round the two ends are: 0 is flat, 1 a half ball.
    """
    at = np.linspace(*part, 5)
    thickness = np.interp(at, np.linspace(0, 1, len(radii)), radii)
    middle = start[:, None] + at[:, None] * (end - start)[:, None]
    centers = pen.camera.project(middle)
    size = (pen.camera.scale(middle) * thickness)[..., None]
    direction = _unit(centers[:, -1] - centers[:, 0])[:, None]
    across = size * np.stack([-direction[..., 1], direction[..., 0]], axis=-1)
    return Tube(centers, across, _capped(size * direction, ends))


def oval_tube(
    pen: Pen,
    middle: Float[NDArray[np.float64], "T R 3"],
    axes: Float[NDArray[np.float64], "T R 2 3"],
    *,
    ends: tuple[float, float],
) -> Tube:
    """A tube of oval rings, each with its two half axes (camera axes, metres): the trunk."""
    centers = pen.camera.project(middle)
    scale = pen.camera.scale(middle)[..., None, None]
    drawn = scale * axes[..., :2] * np.array([1.0, -1.0])
    direction = _unit(centers[:, -1] - centers[:, 0])[:, None]
    normal = np.stack([-direction[..., 1], direction[..., 0]], axis=-1)
    reach = np.einsum("traj,tkj->tra", drawn, normal)
    length = np.maximum(np.linalg.norm(reach, axis=-1, keepdims=True), 1e-6)
    across = np.einsum("tra,traj->trj", reach / length, drawn)
    return Tube(centers, across, _capped(0.5 * length * direction, ends))


def band(tube_: Tube, colour: Colour, *, low: Array | float = -1.0, high: Array | float = 1.0) -> Shape:
    """The stretch of a tube between two lines along it: -1 and 1 are its edges, 0 its middle."""
    low = np.broadcast_to(np.asarray(low, float), tube_.centers.shape[:1])[:, None, None]
    high = np.broadcast_to(np.asarray(high, float), tube_.centers.shape[:1])[:, None, None]
    middle, half = (high + low) / 2, (high - low) / 2
    first = tube_.centers + high * tube_.across
    second = tube_.centers + low * tube_.across
    sine, cosine = np.sin(ROUND)[:, None], np.cos(ROUND)[:, None]
    end = tube_.centers[:, -1:] + (middle + half * sine) * tube_.across[:, -1:] + cosine * tube_.along[:, -1:]
    start = tube_.centers[:, :1] + (middle - half * sine) * tube_.across[:, :1] - cosine * tube_.along[:, :1]
    return Shape(fixed(np.concatenate([first, end, second[:, ::-1], start], axis=1)), colour)


def shaded(pen: Pen, tube_: Tube, colour: Colour) -> list[Shape]:
    """A tube in bands that are brighter towards the light."""
    lit = _lit(pen, tube_)
    shapes = []
    for half, shift, tone in TONES:
        middle = shift * lit
        low, high = np.maximum(middle - half, -1), np.minimum(middle + half, 1)
        shapes.append(band(tube_, shade(colour, tone), low=low, high=high))
    return shapes


def stretch(tube_: Tube, start: float, end: float) -> Tube:
    """The part of a tube between two parts of its length, with flat ends."""
    count = tube_.centers.shape[1]
    at = np.linspace(start, end, 3) * (count - 1)
    low = np.minimum(at.astype(int), count - 2)
    rest = (at - low)[:, None]

    def between(values: Array) -> Array:
        return np.asarray(values[:, low] * (1 - rest) + values[:, low + 1] * rest)

    return Tube(between(tube_.centers), between(tube_.across), np.zeros_like(tube_.centers[:, :3]))


def ellipsoid(
    pen: Pen,
    middle: Float[NDArray[np.float64], "T 3"],
    axes: Float[NDArray[np.float64], "T 3 3"],
    *,
    colour: Colour,
) -> list[Shape]:
    """A ball stretched along its half axes (rows, camera axes, metres), shaded like a tube."""
    edge = _silhouette(middle, axes)
    outline = pen.camera.project(middle[:, None] + np.einsum("tni,tij->tnj", edge, axes))
    center = outline.mean(axis=1, keepdims=True)
    reach = np.abs(outline - center).max(axis=(1, 2))[:, None, None]
    shapes = []
    for half, _, tone in TONES:
        moved = center + half * (outline - center) + 0.7 * (1 - half) * reach * np.array(pen.light)
        shapes.append(Shape(fixed(moved), shade(colour, tone)))
    return shapes


def patch(
    pen: Pen,
    middle: Float[NDArray[np.float64], "T 3"],
    axes: Float[NDArray[np.float64], "T 3 3"],
    *,
    at: tuple[float, float],
    size: tuple[float, float],
    colour: Colour,
) -> Shape:
    """An oval patch on an ellipsoid, drawn where it faces the camera.

    Args:
        pen: the camera and the light.
        middle: the ellipsoid's middle.
        axes: its half axes right, up and forward, as rows.
        at: longitude to the right of forward and latitude of the patch's middle, in degrees.
        size: half its width and half its height as seen from the ellipsoid's middle, in degrees below 80.
        colour: of the patch.
    """
    longitude, latitude = np.deg2rad(at)
    toward = np.array([np.cos(latitude) * np.sin(longitude), np.sin(latitude), np.cos(latitude) * np.cos(longitude)])
    right = np.array([np.cos(longitude), 0.0, -np.sin(longitude)])
    up = np.cross(toward, right)
    width, height = np.tan(np.deg2rad(size))
    ring = toward + width * np.cos(CIRCLE)[:, None] * right + height * np.sin(CIRCLE)[:, None] * up
    ring = np.broadcast_to(_unit(ring), (len(middle), len(CIRCLE), 3))
    view = _sight(middle, axes)
    facing = np.einsum("tni,ti->tn", ring, view)
    edge = _edge_within(ring, view, toward=toward, reach=float(np.deg2rad(sum(size) / 2)))
    points = np.where(facing[..., None] > 0, ring, edge)
    drawn = pen.camera.project(middle[:, None] + np.einsum("tni,tij->tnj", points, axes))
    return Shape(fixed(drawn), colour, np.asarray((facing > 0.05).any(axis=1)))


def _edge_within(ring: Array, view: Array, *, toward: Array, reach: float) -> Array:
    """Points of a patch's rim moved to where the ball's visible edge runs through the patch; (T, N, 3).

    Seen along `view`, the patch around `toward` of angular radius `reach` ends either at its own rim or at the edge of
    the ball, of which it holds the stretch within an angle of the patch's own direction.
    """
    flat = toward - (view @ toward)[:, None] * view
    length = np.linalg.norm(flat, axis=1)
    first = _unit(flat)
    second = np.cross(view, first)
    most = np.arccos(np.clip(np.cos(reach) / np.maximum(length, 1e-6), -1, 1))[:, None]
    angle = np.arctan2(np.einsum("tni,ti->tn", ring, second), np.einsum("tni,ti->tn", ring, first))
    angle = np.clip(angle, -most, most)[..., None]
    return np.asarray(np.cos(angle) * first[:, None] + np.sin(angle) * second[:, None])


def _sight(middle: Array, axes: Array) -> Array:
    """Direction to the camera in the ellipsoid's own unit ball; (T, 3)."""
    lengths = np.maximum(np.sum(axes * axes, axis=-1), 1e-12)
    return _unit(-np.einsum("tj,tij->ti", middle, axes) / lengths)


def _silhouette(middle: Array, axes: Array) -> Array:
    """Points of the unit ball that the camera sees edge on; (T, N, 3)."""
    view = _sight(middle, axes)
    helper = np.where(np.abs(view[:, 1:2]) < 0.8, np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0]))
    first = _unit(np.cross(view, helper))
    second = np.cross(view, first)
    return np.asarray(
        np.cos(CIRCLE)[:, None] * first[:, None] + np.sin(CIRCLE)[:, None] * second[:, None],
    )


def _lit(pen: Pen, tube_: Tube) -> Array:
    """How far a tube's positive side faces the light, -1 to 1; (T,)."""
    return np.asarray(_unit(tube_.across[:, 2]) @ np.array(pen.light))


def _capped(along: Array, ends: tuple[float, float]) -> Array:
    """The round ends' reach, with each end as round as wanted."""
    result = np.array(along)
    result[:, 0] *= ends[0]
    result[:, -1] *= ends[1]
    return result


def _unit(vectors: Array) -> Array:
    """Vectors of length 1; a vector of no length stays so."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))
