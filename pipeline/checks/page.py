"""The page of a dataset's checks: one HTML file that needs nothing else, with pictures of the worst cases."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from dsn.skeleton import Skeleton
from pipeline.artifacts import write_text
from pipeline.pages.pictures import Limb, Pose, data_uri, jpeg, pose
from pipeline.pages.template import fill
from pipeline.pages.tones import PLAIN, Tone

FAULT = Tone(name="fault", light="#b3372c", dark="#f28b80", picture="#ff5a4d")
"""What is wrong in a picture."""
WIDTH = 640
"""Of the pictures, in pixels; frames are shrunk to it."""
QUALITY = 75
"""Of the pictures as JPEG."""
END = b"\xff\xd9"
"""What ends a JPEG."""
BEYOND = 0.5
"""Sides of the frame around it in which bboxes and joints are still shown."""
ROOM = 1.0
"""Space around the people in question, in the longest side of their extent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One frame of a case, ready to be drawn; in frame pixels, rectangles as left, top, width, height."""

    file: str
    data: str
    """The part of the image that is seen, as a data URI."""
    part: Limb
    """Where it is."""
    size: tuple[int, int]
    """Height and width of the frame."""
    view: Limb
    """What is shown; it may reach beyond the frame."""
    bbox: Limb | None
    pose: Pose


def write_page(path: Path, findings: dict[str, Any], root: Path, *, skeleton: Skeleton) -> None:
    """Write the page to the file `path`; the same findings and images give the same bytes.

    Args:
        path: of the page.
        findings: what checks.json holds.
        root: the dataset's folder, for the pictures.
        skeleton: whose joints the cases' keypoints are.
    """
    write_text(path, render(findings, root, skeleton=skeleton))


def render(findings: dict[str, Any], root: Path, *, skeleton: Skeleton) -> str:
    """The page as HTML."""
    groups = [
        (reason, [_pictured(case, root, skeleton=skeleton) for case in cases])
        for reason, cases in groupby(findings.get("cases", []), key=lambda case: str(case["reason"]))
    ]
    values = {"findings": findings, "groups": groups, "name": root.resolve().name, "tones": [*PLAIN, FAULT]}
    return fill(Path(__file__).with_name("page.html.j2"), values, filters={"words": words})


def words(reason: str) -> str:
    """A key of the findings as it is read."""
    return reason.replace("_", " ").replace("labeled", "labelled")


def _pictured(case: dict[str, Any], root: Path, *, skeleton: Skeleton) -> dict[str, Any]:
    corners = np.concatenate([np.zeros((0, 2)), *(_corners(shot) for shot in case["shots"])])
    sights = [sight(shot, root, corners=corners, skeleton=skeleton) for shot in case["shots"]]
    return {"where": case["where"], "sights": [one for one in sights if one is not None]}


def sight(shot: dict[str, Any], root: Path, *, corners: Float64[np.ndarray, "N 2"], skeleton: Skeleton) -> Sight | None:
    """A shot of a case with its picture, or None where there is no picture that could be shown.

    Args:
        shot: of checks.json.
        root: the dataset's folder.
        corners: what must be in sight, the same for all shots of a case.
        skeleton: whose joints the shot's are.
    """
    image = _read(root / shot["file"])
    if image is None:
        return None
    size = image.shape[0], image.shape[1]
    seen = view(corners, size=size)
    left, top = max(0, int(seen[0])), max(0, int(seen[1]))
    left, top = min(left, size[1] - 1), min(top, size[0] - 1)  # a bbox beyond the frame: the frame's edge shows that
    cut = image[top : max(top + 1, math.ceil(seen[1] + seen[3])), left : max(left + 1, math.ceil(seen[0] + seen[2]))]
    keypoints = np.array(shot["keypoints"] or np.zeros((len(skeleton.joints), 3)), dtype=np.float64)
    return Sight(
        file=shot["file"],
        data=data_uri(jpeg(_shrunk(cut), quality=QUALITY)),
        part=(float(left), float(top), float(cut.shape[1]), float(cut.shape[0])),
        size=size,
        view=seen,
        bbox=_rectangle(shot["bbox"], size),
        pose=pose(keypoints[:, :2], keypoints[:, 2] > 0, skeleton=skeleton),
    )


def view(corners: Float64[np.ndarray, "N 2"], *, size: tuple[int, int]) -> Limb:
    """What of a frame is shown, so that all corners are in sight, up to `BEYOND` around the frame.

    It is the part around the corners, of the frame's own aspect, where that is smaller than the frame; else the frame,
    and around it as much as it takes.
    """
    sides = np.array([size[1], size[0]], dtype=np.float64)
    inside = np.clip(corners, -BEYOND * sides, (1 + BEYOND) * sides)
    everything = np.concatenate([inside, [np.zeros(2), sides]])
    low, high = everything.min(axis=0), everything.max(axis=0)
    if len(inside):
        first, last = inside.min(axis=0), inside.max(axis=0)
        share = float(((last - first + 2 * ROOM * (last - first).max()) / sides).max())
        if share < 1:
            low = np.clip((first + last - share * sides) / 2, low, np.maximum(low, high - share * sides))
            high = low + share * sides
    left, top, right, bottom = (round(float(value), 1) for value in (*low, *high))
    return left, top, round(right - left, 1), round(bottom - top, 1)


def _corners(shot: dict[str, Any]) -> Float64[np.ndarray, "N 2"]:
    """Corners of the bbox, and the labelled points."""
    points = [(x, y) for x, y, v in shot["keypoints"] if v > 0]
    ends = [shot["bbox"][:2], shot["bbox"][2:]] if shot["bbox"] else []
    return np.array([*points, *ends], dtype=np.float64).reshape(-1, 2)


def _rectangle(bbox: Sequence[float] | None, size: tuple[int, int]) -> Limb | None:
    """A bbox, its sides that are far away brought to where they can be drawn, beyond what is shown."""
    if bbox is None:
        return None
    sides = np.array([size[1], size[0]] * 2)
    x1, y1, x2, y2 = np.clip(np.array(bbox), -sides, 2 * sides).tolist()
    return x1, y1, x2 - x1, y2 - y1


AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
"""Not turned as EXIF data may ask for: the annotations are not."""


def _read(path: Path) -> UInt8[np.ndarray, "H W 3"] | None:
    """As much of an image as can be decoded, or None; of a JPEG that was cut short that takes a mark at its end."""
    data = path.read_bytes() if path.is_file() else b""
    for attempt in (data, data + END):
        image = cv2.imdecode(np.frombuffer(attempt, dtype=np.uint8), AS_STORED) if data else None
        if image is not None:
            return np.asarray(image, dtype=np.uint8)
    return None


def _shrunk(image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "h w 3"]:
    share = min(1.0, WIDTH / image.shape[1])
    size = max(1, round(image.shape[1] * share)), max(1, round(image.shape[0] * share))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
