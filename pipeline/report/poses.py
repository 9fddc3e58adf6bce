"""Skeletons over pictures, as the numbers that the page's vector drawings are made of."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float64

from dsn.skeleton import Skeleton
from pipeline.report.palette import Method

Point = tuple[float, float]
Limb = tuple[float, float, float, float]

ROOM = 0.12
"""Space around the poses in a picture, in sides of their extent."""

THRESHOLD = 0.5
"""Head sizes between a joint and its label beyond which it is wrong: the official AP's rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image that stands once in the page and can be shown many times."""

    name: str
    """Its id on the page."""
    data: str
    """A data URI."""
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """A skeleton in a picture's pixels."""

    limbs: tuple[Limb, ...]
    joints: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture with the pose of one method."""

    picture: Picture
    window: Limb
    """The part of it that is shown: left, top, width, height."""
    method: Method
    pose: Pose
    ghost: Pose | None
    """The true pose, drawn faintly below."""
    misses: tuple[Limb, ...]
    """From each wrong joint to where it should be."""
    notes: tuple[str, ...]
    """What the caption says below the method's name."""
    description: str
    """For those who do not see it."""


def picture(image: bytes, *, name: str) -> Picture:
    """A JPEG or PNG as a picture of the page.

    Raises:
        ValueError: it cannot be decoded.
    """
    decoded = cv2.imdecode(np.frombuffer(image, dtype=np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise ValueError(f"{name}: got {len(image)} bytes that are no image")
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    data = f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
    return Picture(name=name, data=data, width=decoded.shape[1], height=decoded.shape[0])


def window(points: Float64[np.ndarray, "N 2"], where: Picture) -> Limb:
    """The smallest part of a picture, of the picture's own aspect, that shows all points inside it with some room."""
    size = np.array([where.width, where.height], dtype=np.float64)
    inside = np.clip(points, 0, size)
    low, high = inside.min(axis=0), inside.max(axis=0)
    share = min(1.0, float(((high - low) * (1 + 2 * ROOM) / size).max()))
    corner = np.clip((low + high) / 2 - share * size / 2, 0, (1 - share) * size)
    left, top, width, height = (round(float(value), 1) for value in (*corner, *(share * size)))
    return left, top, width, height


def pose(points: Float64[np.ndarray, "K 2"], shown: Bool[np.ndarray, " K"], *, skeleton: Skeleton) -> Pose:
    """The skeleton through the shown ones of K points; a limb needs both its ends."""
    place = [(round(float(x), 1), round(float(y), 1)) for x, y in points]
    return Pose(
        limbs=tuple((*place[start], *place[end]) for start, end in skeleton.limbs if shown[start] and shown[end]),
        joints=tuple(place[joint] for joint in np.flatnonzero(shown)),
    )


def misses(
    points: Float64[np.ndarray, "K 2"],
    labels: Float64[np.ndarray, "K 2"],
    *,
    labelled: Bool[np.ndarray, " K"],
    head_size: float | None,
) -> tuple[Limb, ...]:
    """Lines from wrong joints to their labels; none where no head size says what is wrong."""
    if head_size is None:
        return ()
    wrong = labelled & (np.linalg.norm(points - labels, axis=1) > THRESHOLD * head_size)
    lines = np.concatenate([points, labels], axis=1)[wrong]
    return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in np.round(lines, 1))


def into_crop(points: Float64[np.ndarray, "K 2"], to_source: Sequence[Sequence[float]]) -> Float64[np.ndarray, "K 2"]:
    """Points of the source frame in the crop whose affine to the source frame is given."""
    affine = np.array(to_source, dtype=np.float64)
    back: Float64[np.ndarray, "K 2"] = (points - affine[:, 2]) @ np.linalg.inv(affine[:, :2]).T
    return back


def scored(skeleton: Skeleton) -> Bool[np.ndarray, " K"]:
    """The channels that are labelled at all."""
    mask = np.zeros(len(skeleton.joints), dtype=np.bool_)
    mask[list(skeleton.scored)] = True
    return mask


def described(method: Method, *, wrong: int, labelled: int) -> str:
    """An alternative text."""
    if method.name == "truth":
        return f"The labelled skeleton: {labelled} joints."
    return f"The skeleton of {method.label}: {wrong} of {labelled} labelled joints are marked as wrong."


def path(limbs: Sequence[Limb]) -> str:
    """Lines as the path of an SVG."""
    return "".join(f"M{a:g} {b:g}L{c:g} {d:g}" for a, b, c, d in limbs)
