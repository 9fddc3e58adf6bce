"""Pictures that stand in a page, and skeletons as the numbers that vector drawings over them are made of."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float64, UInt8

from dsn.skeleton import Skeleton
from pipeline.pages.tones import SIDES

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


def sided(points: Float64[np.ndarray, "K 2"], shown: Bool[np.ndarray, " K"], *, skeleton: Skeleton) -> dict[str, Pose]:
    """The skeleton in parts, by the side of the person that they belong to: left, right, or middle.

    A limb belongs where its second end does; a joint is of a side if it swaps when an image is mirrored.
    """
    side = dict.fromkeys(range(len(skeleton.joints)), "middle")
    for left, right in skeleton.flip_pairs:
        side |= {left: "left", right: "right"}
    whole = pose(points, shown, skeleton=skeleton)
    drawn = [limb for limb in skeleton.limbs if shown[limb[0]] and shown[limb[1]]]
    present = np.flatnonzero(shown).tolist()
    return {
        name: Pose(
            limbs=tuple(line for line, limb in zip(whole.limbs, drawn, strict=True) if side[limb[1]] == name),
            joints=tuple(point for point, joint in zip(whole.joints, present, strict=True) if side[joint] == name),
        )
        for name in SIDES
    }


def path(limbs: Sequence[Limb]) -> str:
    """Lines as the path of an SVG."""
    return "".join(f"M{a:g} {b:g}L{c:g} {d:g}" for a, b, c, d in limbs)
