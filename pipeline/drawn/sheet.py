"""A contact sheet of a drawn dataset: frames as they are, beside the same frames with their labels."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dsn.skeleton import POSETRACK
from pipeline.artifacts import read_json

Image = NDArray[np.uint8]
THUMBNAIL = (180, 320)
"""Height and width of one picture on the sheet, in pixels."""
PAIRS = (5, 2)
"""Rows and columns of pairs."""
LEFT, RIGHT, AXIS = (80, 200, 80), (60, 120, 255), (255, 210, 90)
"""Blue, green, red of what belongs to a person's left, right and neither."""


def contact_sheet(root: Path, out: Path) -> None:
    """Write a picture of frames of the dataset in `root`, taken evenly from all videos, without and with labels."""
    files = sorted((root / "posetrack_data" / "annotations").glob("*/*.json"))
    count = PAIRS[0] * PAIRS[1]
    chosen = [files[index * len(files) // count] for index in range(count)]
    pairs = [_pair(root, read_json(file)) for file in chosen]
    rows = [np.hstack(pairs[index : index + PAIRS[1]]) for index in range(0, count, PAIRS[1])]
    out.parent.mkdir(parents=True, exist_ok=True)
    _, encoded = cv2.imencode(out.suffix, np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 80])
    out.write_bytes(encoded.tobytes())


def _pair(root: Path, labels: dict[str, Any]) -> Image:
    """The middle frame of a video, and beside it the same with its labels."""
    entry = labels["images"][len(labels["images"]) // 2]
    frame = cv2.imread(str(root / entry["file_name"]))
    if frame is None:
        raise ValueError(f"{root / entry['file_name']}: got no readable picture, wanted a frame of the drawn dataset")
    plain = cv2.resize(frame, THUMBNAIL[::-1], interpolation=cv2.INTER_AREA)
    scale = THUMBNAIL[0] / frame.shape[0]
    people = [person for person in labels["annotations"] if person["image_id"] == entry["id"]]
    return np.hstack([plain, _labelled(plain, entry, people=people, scale=scale)]).astype(np.uint8)


def _labelled(picture: cv2.typing.MatLike, entry: dict[str, Any], *, people: list[Any], scale: float) -> Image:
    """A copy of the picture, `scale` times the frame, with skeletons, head boxes and ignore regions."""
    canvas = np.array(picture, np.uint8)
    for xs, ys in zip(entry["ignore_regions_x"], entry["ignore_regions_y"], strict=True):
        corners = np.round(np.stack([xs, ys], axis=1) * scale).astype(np.int32)
        cv2.polylines(canvas, [corners], isClosed=True, color=(0, 255, 255), thickness=1, lineType=cv2.LINE_AA)
    for person in people:
        keypoints = np.array(person["keypoints"]).reshape(-1, 3)
        x, y, width, height = (round(value * scale) for value in person["bbox_head"])
        cv2.rectangle(canvas, (x, y), (x + width, y + height), (255, 255, 255), 1)
        _skeleton(canvas, keypoints[:, :2] * scale, known=keypoints[:, 2] > 0)
    return canvas


def _skeleton(canvas: Image, points: NDArray[np.float64], *, known: NDArray[np.bool_]) -> None:
    """Limbs and joints that are labelled."""
    corners = [(round(float(x)), round(float(y))) for x, y in points]
    for start, end in POSETRACK.limbs:
        if known[start] and known[end]:
            cv2.line(canvas, corners[start], corners[end], _colour(end), 2, cv2.LINE_AA)
    for joint, corner in enumerate(corners):
        if known[joint]:
            cv2.circle(canvas, corner, 3, _colour(joint), -1, cv2.LINE_AA)


def _colour(joint: int) -> tuple[int, int, int]:
    """By the side that a joint is on."""
    side = POSETRACK.joints[joint].partition("_")[0]
    return {"left": LEFT, "right": RIGHT}.get(side, AXIS)
