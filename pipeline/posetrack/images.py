"""Images on disk, looked at without decoding them: their size, and whether they are whole."""

from pathlib import Path
from typing import BinaryIO

from PIL import Image

ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}
"""What stands at the end of a whole file, by format. In a JPEG's scan every 0xff is followed by 0x00 or a restart
marker, so a file that was cut there cannot hold the mark by chance."""
TAIL = 1024
"""Last bytes in which the mark is looked for; some cameras and editors write a little behind it."""


def look(path: Path, *, decode: bool) -> tuple[tuple[int, int] | None, str]:
    """Height and width of a sound image, or None and the reason why it is none.

    The header gives the size; the mark at the end tells a whole file from one that was cut short. An image whose mark
    is not where it should be, or every image with `decode`, is decoded to know.

    Args:
        path: of a JPEG, a PNG, or another format, which is judged by its header alone unless decoded.
        decode: decode the image whatever its end looks like.
    """
    try:
        with path.open("rb") as file:
            if not file.read(1):
                return None, "image is empty"
            return _size(file, decode=decode)
    except FileNotFoundError:
        return None, "image is missing"
    except OSError:
        return None, "image is unreadable"


def _size(file: BinaryIO, *, decode: bool) -> tuple[tuple[int, int] | None, str]:
    with Image.open(file) as image:
        is_marked = _has_end(file, ENDS.get(str(image.format), b""))
        if decode or not is_marked:
            try:
                image.load()
            except (OSError, SyntaxError):  # Pillow's PNG reader calls a broken chunk a syntax error
                return None, "image cannot be decoded" if is_marked else "image is cut short"
        return (image.height, image.width), ""


def _has_end(file: BinaryIO, mark: bytes) -> bool:
    place = file.tell()
    length = file.seek(0, 2)
    file.seek(max(0, length - TAIL))
    is_there = mark in file.read()
    file.seek(place)
    return is_there
