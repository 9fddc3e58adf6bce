"""Pictures that stand in a page, and skeletons as the numbers that vector drawings over them are made of."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float64, UInt8

from dsn.skeleton import Skeleton

Point = tuple[float, float]
Limb = tuple[float, float, float, float]
"""x, y of both ends; also left, top, width and height of a part of a picture."""


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


def picture(image: bytes, *, name: str) -> Picture:
    """A JPEG or PNG as a picture of the page.

    Raises:
        ValueError: it cannot be decoded.
    """
    decoded = cv2.imdecode(np.frombuffer(image, dtype=np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise ValueError(f"{name}: got {len(image)} bytes that are no image")
    return Picture(name=name, data=data_uri(image), width=decoded.shape[1], height=decoded.shape[0])


def data_uri(image: bytes) -> str:
    """A JPEG or PNG as a data URI."""
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def jpeg(image: UInt8[np.ndarray, "H W 3"], *, quality: int) -> bytes:
    """An image of OpenCV's order of channels (blue, green, red) as JPEG."""
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


def pose(points: Float64[np.ndarray, "K 2"], shown: Bool[np.ndarray, " K"], *, skeleton: Skeleton) -> Pose:
    """The skeleton through the shown ones of K points; a limb needs both its ends."""
    place = [(round(float(x), 1), round(float(y), 1)) for x, y in points]
    return Pose(
        limbs=tuple((*place[start], *place[end]) for start, end in skeleton.limbs if shown[start] and shown[end]),
        joints=tuple(place[joint] for joint in np.flatnonzero(shown)),
    )


def path(limbs: Sequence[Limb]) -> str:
    """Lines as the path of an SVG."""
    return "".join(f"M{a:g} {b:g}L{c:g} {d:g}" for a, b, c, d in limbs)
