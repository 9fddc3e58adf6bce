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


def painted(posed: Posed, skeleton: Skeleton) -> Image:
    """A copy of the frame with everybody's skeleton, bbox and track id; an unreadable one says so."""
    canvas = posed.frame.image.copy()
    for pose in posed.poses:
        _paint(canvas, pose, skeleton)
    if not posed.frame.is_readable:
        _write(canvas, UNREADABLE, place=(8, 24))
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
    left, top = _pixel(x1, y1)
    _write(canvas, str(pose.track_id), place=(max(2, left + 3), max(16, top + 16)), colour=colour)


def _write(canvas: Image, text: str, *, place: tuple[int, int], colour: tuple[int, int, int] = (255, 255, 255)) -> None:
    """Text with a dark rim, so that it can be read on any ground."""
    for tint, width in (((0, 0, 0), 3), (colour, 1)):
        cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, tint, width, cv2.LINE_AA)


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
