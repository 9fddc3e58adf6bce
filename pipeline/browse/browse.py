"""Clips of a split's shards, written as pictures, a video and a page."""

from collections.abc import Iterator
from math import ceil, sqrt
from pathlib import Path

import cv2

from dsn.skeleton import Skeleton
from pipeline.artifacts import resolved, write_json, write_text
from pipeline.browse.clips import Choice, Shown, Variation, read_clips
from pipeline.browse.page import render
from pipeline.browse.paint import Canvas, grid, mosaic
from pipeline.pages.video import write_video
from pipeline.refusal import Refusal
from pipeline.shards.manifest import read_manifest
from pipeline.shards.store import Folder

PAGE = "index.html"
VIDEO = "clips.mp4"
CONFIG = "config.json"
ROWS = 8
"""Clips in one picture."""
FPS = 4.0
"""Slow enough to look at each frame of a clip."""
HELD = 4
"""Frames of the video for which the keyframe stands still."""


def browse(folder: Folder, out: Path, choice: Choice, *, variation: Variation | None) -> int:
    """Write the chosen clips into the new or empty folder `out`; gives how many there are.

    Raises:
        Refusal: there are no such clips, the shards are missing or damaged, or `out` is in use.
    """
    if out.is_dir() and any(out.iterdir()):
        raise Refusal(f"{out}: got a folder with files in it, wanted a new or an empty one")
    manifest = read_manifest(folder)
    clips = list(read_clips(folder, manifest, choice, variation=variation))
    if not clips:
        raise Refusal(f"{folder}: got no clips to show, wanted at least one; raise --number")
    out.mkdir(parents=True, exist_ok=True)
    grids = [_write_grid(out, number, part, skeleton=manifest.skeleton) for number, part in enumerate(_parts(clips))]
    write_video(out / VIDEO, _film(clips, skeleton=manifest.skeleton), fps=FPS)
    sections = {"choice": choice} if variation is None else {"choice": choice, "variation": variation}
    write_json(out / CONFIG, {"shards": str(folder), **resolved(**sections)})
    write_text(out / PAGE, render(clips, manifest, variation=variation, video=VIDEO, grids=grids))
    return len(clips)


def _parts(clips: list[Shown]) -> Iterator[list[Shown]]:
    return (clips[start : start + ROWS] for start in range(0, len(clips), ROWS))


def _write_grid(out: Path, number: int, clips: list[Shown], *, skeleton: Skeleton) -> str:
    path = out / f"grid-{number:03d}.png"
    _, encoded = cv2.imencode(".png", grid(clips, skeleton=skeleton))
    path.write_bytes(encoded.tobytes())
    return path.name


def _film(clips: list[Shown], *, skeleton: Skeleton) -> Iterator[Canvas]:
    """The clips beside each other, standing still at the keyframe."""
    for time, frame in enumerate(mosaic(clips, skeleton=skeleton, columns=ceil(sqrt(len(clips))))):
        yield from [frame] * (HELD if time == clips[0].keyframe else 1)
