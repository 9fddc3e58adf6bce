"""A video: a scene's frames as pictures, and their labels."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from numpy.typing import NDArray

from pipeline.drawn.annotations import categories, frame_id, image_entry, person_entry
from pipeline.drawn.config import DrawConfig
from pipeline.drawn.labels import FEWEST_JOINTS, labelled
from pipeline.drawn.render import Image, average, expose, paint, paint_ranks, shadow
from pipeline.drawn.scene import Scene

Region = list[tuple[int, int]]
SMALLEST_REGION = 80.0
"""Square pixels below which a piece of an ignore region is dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """The camera's colours and noise in one video."""

    gain: NDArray[np.float64]
    noise: NDArray[np.int16]
    """Larger than a frame; every frame takes another corner of it."""


def load_film(size: tuple[int, int], rng: np.random.Generator) -> Film:
    """A random colour balance and noise."""
    gain = rng.uniform(0.75, 1.08) * rng.uniform(0.95, 1.05, 3)
    noise = rng.standard_normal((size[0] + 32, size[1] + 32, 3), np.float32) * rng.uniform(1.0, 4.0)
    return Film(gain=gain, noise=noise.round().astype(np.int16))


def picture(scene: Scene, frame: int, *, config: DrawConfig, film: Film) -> Image:
    """One frame as the camera records it: subframes averaged, then its colours and noise."""
    height, width = config.size
    light = shadow(config.size, scene.feet[frame], scene.shadows[frame], strength=0.45)
    canvases = []
    for instant in range(config.subframes):
        index = scene.frames + frame * config.subframes + instant
        canvas = _empty_place(scene, index, light=light)
        paint(canvas, scene.people + scene.things, index)
        canvases.append(canvas)
    row, column = (7 * frame) % 32, (13 * frame) % 32
    noise = film.noise[row : row + height, column : column + width]
    return expose(average(canvases), gain=film.gain, noise=noise)


def _empty_place(scene: Scene, instant: int, *, light: Image) -> Image:
    """The backdrop as the turned camera sees it, with `light` left by the shadows."""
    size = light.shape[1::-1]
    seen = cv2.warpPerspective(scene.backdrop, _to_frame(scene, instant), size, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(cv2.multiply(seen, light, scale=1 / 255), np.uint8)


def _to_frame(scene: Scene, instant: int) -> NDArray[np.float64]:
    """From a pixel of the backdrop to a pixel of the frame at an instant."""
    return np.asarray(scene.camera.matrix(instant) @ np.linalg.inv(scene.to_backdrop))


def annotation(
    scene: Scene, number: int, *, split: str, is_labelled: Bool[NDArray[np.bool_], " F"], config: DrawConfig
) -> dict[str, Any]:
    """The annotation file of a video."""
    images, people = [], []
    for frame in range(scene.frames):
        regions: list[Region] = []
        if is_labelled[frame]:
            ranks, own = paint_ranks(config.size, scene.people + scene.things, frame)
            regions = _ignore_regions(scene, frame, ranks=ranks)
            people += _people(scene, frame, ranks=ranks, own=own, identity=frame_id(number, frame))
        entry = image_entry(
            number, frame, split=split, frames=scene.frames, is_labeled=bool(is_labelled[frame]), regions=regions
        )
        images.append(entry)
    return {"images": images, "annotations": people, "categories": categories()}


def _people(
    scene: Scene, frame: int, *, ranks: UInt8[NDArray[np.uint8], "H W"], own: list[int], identity: int
) -> list[dict[str, Any]]:
    """The people of a frame with enough visible joints, in the order of their tracks."""
    entries: list[dict[str, Any]] = []
    for track_id, track in enumerate(scene.tracks):
        seen = labelled(track, frame, ranks=ranks, rank=own[track_id])
        if seen.sum() < FEWEST_JOINTS:
            continue
        entry = person_entry(
            identity,
            len(entries),
            track_id=track_id,
            keypoints=track.keypoints[frame],
            is_labelled=seen,
            head_bbox=track.head_bbox[frame],
        )
        entries.append(entry)
    return entries


def _ignore_regions(scene: Scene, frame: int, *, ranks: UInt8[NDArray[np.uint8], "H W"]) -> list[Region]:
    """Closed polygons around the crowd, leaving out the people before it."""
    if not scene.crowd.any():
        return []
    size = ranks.shape[::-1]
    region = cv2.warpPerspective(scene.crowd, _to_frame(scene, frame), size, flags=cv2.INTER_NEAREST)
    region[cv2.dilate(ranks, np.ones((5, 5), np.uint8)) > 0] = 0
    outlines, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    polygons = []
    for outline in outlines:
        corners = cv2.approxPolyDP(outline, 1.5, closed=True)[:, 0]
        if len(corners) >= 3 and cv2.contourArea(corners) >= SMALLEST_REGION:
            polygons.append([(int(x), int(y)) for x, y in [*corners, corners[0]]])
    return polygons
