"""A far crowd, part of the backdrop: people whom nobody labels."""

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from pipeline.drawn.appearance import draw_appearance
from pipeline.drawn.body import draw_proportions, pose
from pipeline.drawn.camera import Camera, still
from pipeline.drawn.figure import dress
from pipeline.drawn.motion import draw_style
from pipeline.drawn.performance import Cue, perform
from pipeline.drawn.render import Layer, layer, paint, paint_ranks

LOOKS = 5
"""Different people in a crowd; each stands in it several times, in other poses: from afar that is a crowd."""


def paint_crowd(
    backdrop: UInt8[NDArray[np.uint8], "h w 3"],
    *,
    height: float,
    focal: float,
    center: tuple[float, float],
    rng: np.random.Generator,
) -> UInt8[NDArray[np.uint8], "h w"]:
    """Paint a far crowd into a backdrop, seen by a still camera; the result is 255 in the region around it."""
    copies = int(rng.integers(1, 4))
    camera = still(height=height, focal=focal, center=center, instants=copies)
    bearing = float(rng.uniform(-0.4, 0.4)) * backdrop.shape[1] / focal
    size = (backdrop.shape[0], backdrop.shape[1])
    seen = np.zeros(size, np.uint8)
    for bystander in [_bystander(camera, bearing=bearing, rng=rng) for _ in range(LOOKS)]:
        for copy in range(copies):
            paint(backdrop, [bystander], copy)
            seen |= paint_ranks(size, [bystander], copy)[0]
    hull = cv2.convexHull(cv2.findNonZero(cv2.dilate(seen, np.ones((7, 7), np.uint8))))
    return np.asarray(cv2.fillPoly(np.zeros(size, np.uint8), [hull], 255))


def _bystander(camera: Camera, *, bearing: float, rng: np.random.Generator) -> Layer:
    """Somebody in the crowd, in another place and pose at each of the camera's instants."""
    count = len(camera.focal)
    proportions = draw_proportions(rng)
    cues = (Cue(motion=str(rng.choice(["stand", "wave", "signal", "walk", "dance"])), start=0.0),)
    angles = perform(cues, style=draw_style(rng, proportions), times=rng.uniform(0, 3, count))
    away = rng.uniform(11, 15, count)
    ground = np.stack([bearing * away + rng.normal(0, 1.1, count), away], axis=1)
    body = pose(angles, proportions=proportions, ground=ground, heading=np.pi + rng.normal(0, 0.6, count))
    looks = draw_appearance(int(rng.integers(2**31)), 0)
    return layer(dress(body, proportions=proportions, appearance=looks, camera=camera, light=(0.0, -0.7)), away)
