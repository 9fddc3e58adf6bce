"""Footage: the frames of a video or of a series of images, one after the other, each of them accounted for."""

import glob
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

from pipeline.refusal import Refusal
from pipeline.shards.crop import Image

IMAGES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
SOURCES = {"mpii": 1, "bonn": 2, "mpiinew": 3}
"""What ids of PoseTrack18's frames begin with, as its evaluator counts them."""
PATIENCE = 100
"""Frames in a row that cannot be decoded, after which a video is taken to have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame."""

    position: int
    """Counted from 0; frames that cannot be decoded count."""
    seconds: float
    """When it is shown, from the start of the video."""
    image: Image
    """Blue, green, red. Of a frame that cannot be decoded, the last one before it that can."""
    is_readable: bool
    arrived: float
    """When it was there to be worked on, by `perf_counter`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """A video, or images in the order of their names."""

    name: str
    """The video file's stem, or the folder that the images lie in."""
    video: Path | None
    images: tuple[Path, ...]
    fps: float
    count: int
    """Frames that there are, or that the video's container announces: it may err. 0 where it says nothing."""

    @property
    def source(self) -> Path:
        """What to name in messages."""
        return self.video or self.images[0].parent

    def frame_name(self, position: int) -> str:
        """A frame's image below a folder, as annotations name it."""
        image = f"{position:06d}.jpg" if self.video else self.images[position].name
        return f"{self.name}/{image}"

    def image_id(self, position: int) -> int:
        """PoseTrack18's id where video and image are named as there (`003418_mpii_test/000012.jpg`), else position."""
        video, image = re.match(r"(\d{6})_(mpii|bonn|mpiinew)_", self.name), Path(self.frame_name(position)).stem
        if video and image.isdecimal() and len(image) == 6:
            return int(f"{SOURCES[video[2]]}{video[1]}{int(image):04d}")
        return position

    def frames(self) -> Iterator[Frame]:
        """Every frame in order, read when it is asked for.

        Raises:
            Refusal: there is none that can be decoded, or the images have several sizes.
        """
        return _complete(self._decoded(), self.source, keeps_end=self.video is None)

    def _decoded(self) -> Iterator[tuple[float, Image | None]]:
        """Seconds and image of each frame; None where it cannot be decoded."""
        if self.video:
            yield from _decoded(self.video, count=self.count)
        for position, file in enumerate(self.images):
            image = cv2.imread(str(file), cv2.IMREAD_COLOR)  # turned as its EXIF data say
            yield position / self.fps, None if image is None else np.asarray(image, dtype=np.uint8)


def find_footage(sources: Sequence[str], *, fps: float) -> list[Footage]:
    """Every video, and the images of every folder, that files, folders and patterns name.

    Args:
        sources: paths or glob patterns. A folder stands for its images, or else for its videos. Images of one folder
            make one footage, in the order of the numbers in their names, however they were given.
        fps: frames a second of images, which do not say.

    Raises:
        Refusal: one names nothing that can be read, or two have the same name.
    """
    files = list(dict.fromkeys(file for source in sources for file in _files(source)))
    folders = dict.fromkeys(file.parent for file in files if file.suffix.lower() in IMAGES)
    found = [_images([file for file in files if file.parent == folder], fps=fps) for folder in folders]
    found += [_video(file) for file in files if file.suffix.lower() not in IMAGES]
    names = [footage.name for footage in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Refusal(f"got {names.count(twice[0])} sources named {twice[0]}, wanted one; predict them one by one")
    return found


def _files(source: str) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        inside = [file for file in path.iterdir() if file.is_file() and not file.name.startswith(".")]
        found = [file for file in inside if file.suffix.lower() in IMAGES] or inside
    else:
        found = [path] if path.is_file() else [Path(name) for name in glob.glob(source, recursive=True)]  # noqa: PTH207  (a pattern may be absolute)
        found = [file for file in found if file.is_file()]
    if not found:
        raise Refusal(f"{source}: got nothing there, wanted a video, a folder of images or a pattern in quotes")
    return sorted(found, key=_naturally)


def _naturally(file: Path) -> list[tuple[int, str]]:
    """So that frame 9 comes before frame 10."""
    parts = re.split(r"(\d+)", str(file))
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


def _images(files: list[Path], *, fps: float) -> Footage:
    images = tuple(sorted((file for file in files if file.suffix.lower() in IMAGES), key=_naturally))
    name = images[0].resolve().parent.name
    return Footage(name=name, video=None, images=images, fps=fps, count=len(images))


def _video(file: Path) -> Footage:
    with _opened(file) as capture:
        fps, count = capture.get(cv2.CAP_PROP_FPS), int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    return Footage(name=file.stem, video=file, images=(), fps=fps if 0 < fps < 1000 else 25.0, count=max(0, count))


@contextmanager
def _opened(file: Path) -> Iterator[cv2.VideoCapture]:
    capture = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise Refusal(f"{file}: got {file.stat().st_size} bytes that are no video that can be decoded; encode anew")
        yield capture
    finally:
        capture.release()


def _decoded(file: Path, *, count: int) -> Iterator[tuple[float, Image | None]]:
    """What a video shows, upright as its metadata say; after a frame that is corrupt the decoder goes on."""
    failed, given = 0, 0
    with _opened(file) as capture:
        while failed <= PATIENCE and (failed == 0 or given < count):
            is_read, image = capture.read()
            given, failed = given + 1, 0 if is_read else failed + 1
            yield capture.get(cv2.CAP_PROP_POS_MSEC) / 1000, np.asarray(image, dtype=np.uint8) if is_read else None


def _complete(decoded: Iterator[tuple[float, Image | None]], source: Path, *, keeps_end: bool) -> Iterator[Frame]:
    """Frames without holes: an unreadable one shows its neighbour's image.

    Those at a video's end may never have been there, for a container errs; images are there.
    """
    last: Frame | None = None
    lost: list[float] = []
    with closing(decoded):  # type: ignore[type-var]  # a generator
        for seconds, image in decoded:
            if image is None:
                lost.append(seconds)
                continue
            if last is not None and last.image.shape != image.shape:
                sizes = " and ".join(f"{shape[1]} x {shape[0]}" for shape in (last.image.shape, image.shape))
                raise Refusal(f"{source}: got images of {sizes} pixels, wanted one size; predict them one by one")
            now, first = perf_counter(), 0 if last is None else last.position + 1
            stand_in = image if last is None else last.image
            for position in range(first, first + len(lost)):
                yield Frame(position=position, seconds=seconds, image=stand_in, is_readable=False, arrived=now)
            last = Frame(position=first + len(lost), seconds=seconds, image=image, is_readable=True, arrived=now)
            lost = []
            yield last
    if last is None:
        raise Refusal(f"{source}: got no frame that can be decoded, wanted at least one")
    for position, seconds in enumerate(lost if keeps_end else (), start=last.position + 1):
        yield replace(last, position=position, seconds=seconds, is_readable=False, arrived=perf_counter())
