"""An MP4 that browsers play.

OpenCV's wheels come without an encoder for H.264, and no browser plays the MPEG-4 Part 2 that they write instead; VP9
in MP4 they write, and Chrome, Firefox, Edge and Safari play it.
"""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from pipeline.refusal import Refusal

CODEC = "vp09"


class VideoFile:
    """A video that is written frame by frame, and then closed."""

    def __init__(self, path: Path, *, fps: float) -> None:
        """The file is made with the first frame."""
        self._path, self._fps = path, fps
        self._writer: cv2.VideoWriter | None = None

    def close(self) -> None:
        """Make the file whole."""
        if self._writer is not None:
            self._writer.release()

    def write(self, frame: UInt8[np.ndarray, "H W 3"]) -> None:
        """Add a frame (blue, green, red) of the size of the first; an odd last row or column is left out.

        Raises:
            Refusal: this build of OpenCV cannot encode VP9.
        """
        height, width = (side - side % 2 for side in frame.shape[:2])
        if self._writer is None:
            self._writer = cv2.VideoWriter(str(self._path), cv2.VideoWriter.fourcc(*CODEC), self._fps, (width, height))
            if not self._writer.isOpened():
                raise Refusal(
                    f"{self._path}: this OpenCV ({cv2.__version__}) cannot encode VP9; install the wheel that "
                    "requirements.lock names: `make setup`"
                )
        self._writer.write(np.ascontiguousarray(frame[:height, :width]))


def write_video(path: Path, frames: Iterable[UInt8[np.ndarray, "H W 3"]], *, fps: float) -> None:
    """Write frames of one size (blue, green, red) as a video; see `VideoFile.write`."""
    with closing(VideoFile(path, fps=fps)) as video:
        for frame in frames:
            video.write(frame)
