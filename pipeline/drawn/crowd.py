"""A far crowd, part of the backdrop: people whom nobody labels."""

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from pipeline.drawn.appearance import draw_appearance
from pipeline.drawn.body import Body, Proportions, draw_proportions, pose
from pipeline.drawn.camera import Camera
from pipeline.drawn.figure import dress
from pipeline.drawn.motion import Cue, draw_style, perform
from pipeline.drawn.outline import Array
from pipeline.drawn.render import layer, paint, paint_ranks


def paint_crowd(
    backdrop: UInt8[NDArray[np.uint8], "h w 3"], camera: Camera, *, rng: np.random.Generator
) -> UInt8[NDArray[np.uint8], "h w"]:
    """Paint a far crowd into the backdrop; the result is 255 in the region around it."""
    middle = float(rng.uniform(-0.4, 0.4)) * backdrop.shape[1] / camera.focal[0]
    layers = []
    for _ in range(int(rng.integers(6, 16))):
        away = float(rng.uniform(11, 15))
        ground = np.array([[middle * away + float(rng.normal(0, 1.0)), away]])
        body, proportions = _bystander(ground, rng)
        appearance = draw_appearance(int(rng.integers(2**31)), 0)
        parts = dress(body, proportions=proportions, appearance=appearance, camera=camera, light=(0.0, -0.7))
        layers.append(layer(parts, np.array([away])))
    paint(backdrop, layers, 0)
    size = (backdrop.shape[0], backdrop.shape[1])
    seen = (paint_ranks(size, layers, 0)[0] > 0).astype(np.uint8)
    hull = cv2.convexHull(cv2.findNonZero(cv2.dilate(seen, np.ones((7, 7), np.uint8))))
    return np.asarray(cv2.fillPoly(np.zeros(size, np.uint8), [hull], 255))


def _bystander(ground: Array, rng: np.random.Generator) -> tuple[Body, Proportions]:
    """Somebody in the crowd."""
    proportions = draw_proportions(rng)
    style = draw_style(rng, proportions)
    cues = (Cue(motion=str(rng.choice(["stand", "wave", "signal", "walk"])), start=0.0),)
    angles = perform(cues, style=style, times=np.zeros(1))
    heading = np.array([np.pi + float(rng.normal(0, 0.6))])
    return pose(angles, proportions=proportions, ground=ground, heading=heading), proportions
