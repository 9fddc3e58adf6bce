"""An MP4 that browsers play.

OpenCV's wheels come without an encoder for H.264, and no browser plays the MPEG-4 Part 2 that they write instead; VP9
in MP4 they write, and Chrome, Firefox, Edge and Safari play it.
"""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from pipeline.refusal import Refusal

CODEC = "vp09"


def write_video(path: Path, frames: Iterable[UInt8[np.ndarray, "H W 3"]], *, fps: float) -> None:
    """Write frames of one size (blue, green, red) as a video; an odd last row or column is left out.

    Raises:
        Refusal: this build of OpenCV cannot encode VP9.
    """
    writer = None
    for frame in frames:
        height, width = (side - side % 2 for side in frame.shape[:2])
        if writer is None:
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODEC), fps, (width, height))
            if not writer.isOpened():
                raise Refusal(
                    f"{path}: this OpenCV ({cv2.__version__}) cannot encode VP9; install the wheel that "
                    "requirements.lock names: `make setup`"
                )
        writer.write(np.ascontiguousarray(frame[:height, :width]))
    if writer is not None:
        writer.release()
