"""Clips as pixels: rows of frames for pictures, and a mosaic that moves for a video."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from dsn.skeleton import Skeleton
from pipeline.browse.clips import Shown
from pipeline.pages.pictures import sided
from pipeline.pages.tones import SIDES

Canvas = UInt8[np.ndarray, "_ _ 3"]
"""Of any height and width; blue, green, red, as OpenCV writes files."""

HEIGHT = 256
"""Pixels that a frame has at least: small crops are enlarged by whole numbers."""
GAP = 6
"""Pixels between frames."""
PAPER = 24
"""Grey level of the gaps."""
FRAME = (255, 255, 255)
"""Colour of the keyframe's border."""


def grid(clips: Sequence[Shown], *, skeleton: Skeleton) -> Canvas:
    """A row for each clip, its frames in order of time; the keyframe has a border and the skeleton."""
    return _joined([[_cell(clip, time, skeleton=skeleton) for time in range(len(clip.frames))] for clip in clips])


def mosaic(clips: Sequence[Shown], *, skeleton: Skeleton, columns: int) -> Iterator[Canvas]:
    """All clips beside each other, at one time after the other."""
    for time in range(len(clips[0].frames)):
        cells = [_cell(clip, time, skeleton=skeleton) for clip in clips]
        cells += [np.full_like(cells[0], PAPER)] * (-len(cells) % columns)
        yield _joined([cells[start : start + columns] for start in range(0, len(cells), columns)])


def _cell(clip: Shown, time: int, *, skeleton: Skeleton) -> Canvas:
    """One frame, enlarged where it is small."""
    frame = cv2.cvtColor(clip.frames[time], cv2.COLOR_RGB2BGR)
    factor = -(-HEIGHT // frame.shape[0]) if frame.shape[0] < HEIGHT else 1
    size = frame.shape[1] * factor, frame.shape[0] * factor
    canvas = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    if time == clip.keyframe:
        _paint(canvas, clip, factor=factor, skeleton=skeleton)
        cv2.rectangle(canvas, (0, 0), (size[0] - 1, size[1] - 1), FRAME, 2)
    return canvas


def _paint(canvas: Canvas, clip: Shown, *, factor: int, skeleton: Skeleton) -> None:
    """The supervised joints and the limbs between them, in place."""
    points = (clip.points + 0.5) * factor - 0.5  # pixel centres stay where they are when pixels become blocks
    width = max(1, canvas.shape[0] // 128)
    for side, part in sided(points, clip.supervised, skeleton=skeleton).items():
        colour = _bgr(SIDES[side].picture)
        for x1, y1, x2, y2 in part.limbs:
            cv2.line(canvas, (round(x1), round(y1)), (round(x2), round(y2)), colour, width, cv2.LINE_AA)
        for x, y in part.joints:
            cv2.circle(canvas, (round(x), round(y)), width + 1, colour, -1, cv2.LINE_AA)


def _bgr(colour: str) -> tuple[int, int, int]:
    """Of #rrggbb."""
    red, green, blue = bytes.fromhex(colour[1:])
    return blue, green, red


def _joined(rows: Sequence[Sequence[Canvas]]) -> Canvas:
    """Cells of one size as a table with gaps between and around them."""
    height, width, _ = rows[0][0].shape
    sides = GAP + (height + GAP) * len(rows), GAP + (width + GAP) * len(rows[0])
    canvas = np.full((*sides, 3), PAPER, dtype=np.uint8)
    for y, cells in enumerate(rows):
        for x, cell in enumerate(cells):
            top, left = GAP + y * (height + GAP), GAP + x * (width + GAP)
            canvas[top : top + height, left : left + width] = cell
    return canvas
