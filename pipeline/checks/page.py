"""The page of a dataset's checks: one HTML file that needs nothing else, with pictures of the worst cases."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One frame of a case, ready to be drawn; in frame pixels."""

    file: str
    data: str
    """A data URI."""
    size: tuple[int, int]
    """Height and width."""
    window: Limb
    """What is shown: left, top, width, height; it may reach beyond the frame."""
    bbox: Limb | None
    """Left, top, width, height."""
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
    sights = [sight(shot, root, skeleton=skeleton) for shot in case["shots"]]
    return {"where": case["where"], "sights": [one for one in sights if one is not None]}


def sight(shot: dict[str, Any], root: Path, *, skeleton: Skeleton) -> Sight | None:
    """A shot of a case with its picture, or None where there is no picture that could be shown."""
    image = _read(root / shot["file"])
    if image is None:
        return None
    size = image.shape[0], image.shape[1]
    keypoints = np.array(shot["keypoints"] or np.zeros((len(skeleton.joints), 3)), dtype=np.float64)
    bbox = _shown(shot["bbox"], size)
    return Sight(
        file=shot["file"],
        data=data_uri(jpeg(_shrunk(image), quality=QUALITY)),
        size=size,
        window=window(bbox, keypoints[keypoints[:, 2] > 0, :2], size=size),
        bbox=None if bbox is None else (bbox[0], bbox[1], bbox[2] - bbox[0], bbox[3] - bbox[1]),
        pose=pose(keypoints[:, :2], keypoints[:, 2] > 0, skeleton=skeleton),
    )


def window(bbox: Limb | None, points: Float64[np.ndarray, "N 2"], *, size: tuple[int, int]) -> Limb:
    """The frame, and around it as much as shows the bbox's corners and the points, within `BEYOND`."""
    height, width = size
    corners = np.array([(0, 0), (width, height), *([bbox[:2], bbox[2:]] if bbox else []), *points], dtype=np.float64)
    low, high = _within(corners.min(axis=0), size), _within(corners.max(axis=0), size)
    left, top, right, bottom = (round(float(value), 1) for value in (*low, *high))
    return left, top, right - left, bottom - top


def _within(point: Float64[np.ndarray, " 2"], size: tuple[int, int]) -> Float64[np.ndarray, " 2"]:
    sides = np.array([size[1], size[0]], dtype=np.float64)
    return np.asarray(np.clip(point, -BEYOND * sides, (1 + BEYOND) * sides))


def _shown(bbox: Sequence[float] | None, size: tuple[int, int]) -> Limb | None:
    """A bbox's corners, those far away brought to where they can be drawn, just beyond what is shown."""
    if bbox is None:
        return None
    reach = np.array([size[1], size[0]] * 2) * (1 + 2 * BEYOND)
    x1, y1, x2, y2 = np.clip(np.array(bbox), -reach, 2 * reach).tolist()
    return x1, y1, x2, y2


def _read(path: Path) -> UInt8[np.ndarray, "H W 3"] | None:
    """As much of an image as can be decoded, or None; of a JPEG that was cut short that takes a mark at its end."""
    data = path.read_bytes() if path.is_file() else b""
    for attempt in (data, data + END):
        image = cv2.imdecode(np.frombuffer(attempt, dtype=np.uint8), cv2.IMREAD_COLOR) if data else None
        if image is not None:
            return np.asarray(image, dtype=np.uint8)
    return None


def _shrunk(image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "h w 3"]:
    share = min(1.0, WIDTH / image.shape[1])
    size = max(1, round(image.shape[1] * share)), max(1, round(image.shape[0] * share))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
