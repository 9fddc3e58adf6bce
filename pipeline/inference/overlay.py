"""Poses drawn over the frames that they were read in."""

import cv2
import numpy as np

from dsn.skeleton import Skeleton
from pipeline.inference.people import Pose, Posed
from pipeline.pages.pictures import sided
from pipeline.pages.tones import SIDES
from pipeline.shards.crop import Image

SHOWN = 0.1
"""Least score of a joint that is drawn."""
UNREADABLE = "frame cannot be decoded"
FONT = cv2.FONT_HERSHEY_SIMPLEX


def painted(posed: Posed, skeleton: Skeleton) -> Image:
    """A copy of the frame with everybody's skeleton, bbox and track id; an unreadable one says so."""
    canvas = posed.frame.image.copy()
    for pose in posed.poses:
        _paint(canvas, pose, skeleton)
    if not posed.frame.is_readable:
        _write(canvas, UNREADABLE, corner=(8, 8), ground=(255, 255, 255))
    return canvas


def _paint(canvas: Image, pose: Pose, skeleton: Skeleton) -> None:
    height = canvas.shape[0]
    width = max(1, height // 360)
    is_scored = np.isin(np.arange(len(skeleton.joints)), skeleton.scored)
    shown = np.asarray(is_scored & (pose.scores >= SHOWN), dtype=np.bool_)
    for side, part in sided(pose.keypoints, shown, skeleton=skeleton).items():
        colour = _bgr(SIDES[side].picture)
        for x1, y1, x2, y2 in part.limbs:
            cv2.line(canvas, _pixel(x1, y1), _pixel(x2, y2), colour, width + 1, cv2.LINE_AA)
        for x, y in part.joints:
            cv2.circle(canvas, _pixel(x, y), width + 1, colour, -1, cv2.LINE_AA)
    colour = _of_track(pose.track_id)
    x1, y1, x2, y2 = pose.bbox
    cv2.rectangle(canvas, _pixel(x1, y1), _pixel(x2, y2), colour, width)
    _write(canvas, str(pose.track_id), corner=_pixel(x1, y1), ground=colour)


def _write(canvas: Image, text: str, *, corner: tuple[int, int], ground: tuple[int, int, int]) -> None:
    """Dark text on a bright ground, whose upper left corner is moved into the frame; it grows with the frame."""
    height, width = canvas.shape[:2]
    scale = max(0.4, height / 900)
    (wide, high), below = cv2.getTextSize(text, FONT, scale, 1)
    left, top = (
        max(0, min(at, most)) for at, most in zip(corner, (width - wide - 4, height - high - below), strict=True)
    )
    cv2.rectangle(canvas, (left, top), (left + wide + 3, top + high + below), ground, -1)
    cv2.putText(canvas, text, (left + 2, top + high + 1), FONT, scale, (0, 0, 0), 1, cv2.LINE_AA)


def _pixel(x: float, y: float) -> tuple[int, int]:
    """The nearest one, within what OpenCV can draw to."""
    return round(min(max(x, -30_000.0), 30_000.0)), round(min(max(y, -30_000.0), 30_000.0))


def _of_track(track_id: int) -> tuple[int, int, int]:
    """A bright colour for each of many tracks, neighbouring numbers far apart."""
    hue = int(track_id * 180 * 0.618) % 180
    blue, green, red = cv2.cvtColor(np.array([[[hue, 150, 255]]], dtype=np.uint8), cv2.COLOR_HSV2BGR)[0, 0].tolist()
    return blue, green, red


def _bgr(colour: str) -> tuple[int, int, int]:
    """Of #rrggbb."""
    red, green, blue = bytes.fromhex(colour[1:])
    return blue, green, red
