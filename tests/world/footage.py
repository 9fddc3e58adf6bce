"""Small videos that the tests of prediction look at: drawn, and damaged in known ways."""

import struct
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image

SIZE = (90, 160)
FPS = 20.0

Frames = UInt8[np.ndarray, "T H W 3"]


def drawn_frames(count: int, *, size: tuple[int, int] = SIZE) -> Frames:
    """Grey frames, each brighter than the one before, over which a bright square moves to the right by a pixel."""
    frames = np.empty((count, *size, 3), dtype=np.uint8)
    for position in range(count):
        frames[position] = 8 * position % 160
        frames[position, 30:50, 10 + position : 30 + position] = 255
    return frames


def write_images(folder: Path, frames: Frames) -> Path:
    """As PNG files named by position; gives the folder."""
    folder.mkdir(parents=True)
    for position, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{position:06d}.png"), frame)
    return folder


def write_mp4(path: Path, frames: Frames) -> Path:
    """As a video of MPEG-4; gives its path."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (frames.shape[2], frames.shape[1]))
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def spoil_frame(path: Path, position: int) -> None:
    """Overwrite the bytes of one frame of a video."""
    data = bytearray(path.read_bytes())
    table = data.find(b"stsz")
    (count,) = struct.unpack(">I", data[table + 12 : table + 16])
    sizes = struct.unpack(f">{count}I", data[table + 16 : table + 16 + 4 * count])
    start = data.find(b"mdat") + 4 + sum(sizes[:position])
    data[start : start + sizes[position]] = b"\xff" * sizes[position]
    path.write_bytes(data)


def write_photos(folder: Path, frames: Frames, *, orientation: int) -> Path:
    """As JPEG files named by position whose EXIF data say how they are to be turned; gives the folder."""
    folder.mkdir(parents=True)
    for position, frame in enumerate(frames):
        photo = Image.fromarray(np.ascontiguousarray(frame[..., ::-1]))
        exif = photo.getexif()
        exif[ExifTags.Base.Orientation] = orientation
        photo.save(folder / f"{position:06d}.jpg", exif=exif, quality=95)
    return folder


def turn_by_metadata(path: Path) -> None:
    """Say in the header of a video that it is to be shown turned by a quarter, as telephones do."""
    data = bytearray(path.read_bytes())
    matrix = data.find(b"tkhd") + 44
    one = 1 << 16
    data[matrix : matrix + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def slow_down(path: Path, *, first: int) -> None:
    """Let all frames but the `first` ones of a video stand twice as long."""
    data = bytearray(path.read_bytes())
    table = data.find(b"stts")
    count, ticks = struct.unpack(">II", data[table + 12 : table + 20])
    data[table + 8 : table + 20] = struct.pack(">IIIII", 2, first, ticks, count - first, 2 * ticks)
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"):
        place = data.find(name) - 4
        (length,) = struct.unpack(">I", data[place : place + 4])
        data[place : place + 4] = struct.pack(">I", length + 8)
    edits = data.find(b"edts")
    data[edits : edits + 4] = b"free"  # the list of edits would cut the video at its old length
    path.write_bytes(data)
