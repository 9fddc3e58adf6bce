"""The pixels of every kind of degradation, one frame of each clip at a time.

A higher severity spoils the same place more. What is drawn comes from the sample's own generator, so a sample looks the
same in any batch. No supporting frame is given anything of the keyframe, which blind methods must not see.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, UInt8
from torch import Tensor
from torch.nn import functional

Kind = Literal[
    "black", "motion_blur", "defocus", "occluder", "noise", "box", "person", "darkness", "jpeg", "foreign", "dropped"
]
KINDS: tuple[Kind, ...] = get_args(Kind)
ALL_OR_NOTHING: frozenset[Kind] = frozenset({"black", "person", "foreign", "dropped"})
"""Those whose severities above 0 are all the same."""

WORST = 5
"""The highest severity."""
DEFOCUS = 0.012
"""Radius of the blur disc per severity, in heights of the crop."""
OCCLUDED = 0.1
"""Share of the crop's area behind the occluder or the box, per severity."""
JITTER = 0.1
"""How far an occluder's centre may be from its joint, in sides of the crop."""
AROUND_PERSON = 0.1
"""Room between a person's joints and the border of what hides the person whole, in sides of the joints' extent."""
NOISE = 16.0
"""Standard deviation of the noise per severity, in grey levels."""
LIGHT = 0.45
"""Share of the light that is left, per severity: at the highest, a fiftieth."""
GRAIN = 2.0
"""Standard deviation of a dark picture's noise, in grey levels."""
QUALITIES = (40, 20, 10, 5, 1)
"""JPEG quality by severity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """B clips in which one frame is to be degraded, and what the degradations draw upon."""

    frames: UInt8[Tensor, "B T 3 H W"]
    clip: tuple[int, ...]
    """Offsets of the T frames from the keyframe, ascending."""
    position: int
    """Which frame of the clips."""
    keypoints: Float[Tensor, "B K 2"]
    """At the keyframe, in pixels of the frames."""
    visible: Bool[Tensor, "B K"]
    videos: tuple[str, ...]
    """Whose clips they are."""
    generators: tuple[np.random.Generator, ...]
    """One for each clip."""
    donors: "Donors"

    @property
    def images(self) -> UInt8[Tensor, "B 3 H W"]:
        """The frames as they are, in memory of their own."""
        return self.frames[:, self.position].clone(memory_format=torch.contiguous_format)


@dataclass(frozen=True, slots=True, kw_only=True)
class Donors:
    """Keyframes that may stand in for one of another video."""

    frames: UInt8[Tensor, "D 3 H W"]
    videos: tuple[str, ...]


def shutter_weights(clip: tuple[int, ...], *, severity: int, position: int) -> Float64[np.ndarray, " T"]:
    """What a shutter open around a clip's frame gathers of each frame.

    A frame stands for the time up to the middle between it and the next. At severity 0 the shutter is open for the
    frame's own time, at the highest for the whole clip's, and in between for equal steps more. A supporting frame's
    shutter is closed while the keyframe stands.
    """
    times = np.array(clip, dtype=np.float64)
    middles = (times[1:] + times[:-1]) / 2
    edges = np.concatenate([[2 * times[0] - middles[0]], middles, [2 * times[-1] - middles[-1]]])
    own = edges[position : position + 2]
    opened, closed = own + (edges[[0, -1]] - own) * severity / WORST
    gathered = np.clip(np.minimum(edges[1:], closed) - np.maximum(edges[:-1], opened), 0.0, None)
    if clip[position] != 0:
        gathered[clip.index(0)] = 0.0
    weights: Float64[np.ndarray, " T"] = gathered / gathered.sum()
    return weights


def disc(radius: float) -> Float[Tensor, "D D"]:
    """A disc of weight 1 with a soft border; D is odd."""
    reach = int(np.ceil(radius))
    axis = torch.arange(-reach, reach + 1, dtype=torch.float32)
    weights = (radius + 0.5 - torch.hypot(axis[:, None], axis)).clamp(0, 1)
    return weights / weights.sum()


def _black(scene: Scene, _severity: int) -> UInt8[Tensor, "B 3 H W"]:
    return torch.zeros_like(scene.images)


def _motion_blur(scene: Scene, severity: int) -> UInt8[Tensor, "B 3 H W"]:
    """The average of the clip's real frames under a longer shutter."""
    weights = torch.from_numpy(shutter_weights(scene.clip, severity=severity, position=scene.position)).float()
    return _bytes(torch.einsum("t,btchw->bchw", weights, scene.frames.float()))


def _defocus(scene: Scene, severity: int) -> UInt8[Tensor, "B 3 H W"]:
    """Each point spread over a disc; the borders are continued."""
    images = scene.images.float()
    kernel = disc(DEFOCUS * severity * images.shape[-2])
    reach = kernel.shape[0] // 2
    padded = functional.pad(images, (reach, reach, reach, reach), mode="replicate")
    return _bytes(functional.conv2d(padded, kernel.expand(3, 1, -1, -1), groups=3))


def _noise(scene: Scene, severity: int) -> UInt8[Tensor, "B 3 H W"]:
    """Gaussian noise, every pixel and channel for itself."""
    return _bytes(scene.images.float() + NOISE * severity * _normal(scene))


def _darkness(scene: Scene, severity: int) -> UInt8[Tensor, "B 3 H W"]:
    """A share of the light, as whole grey levels, with the grain of a dark picture."""
    return _bytes(scene.images.float() * LIGHT**severity + GRAIN * _normal(scene))


def _normal(scene: Scene) -> Float[Tensor, "B 3 H W"]:
    shape = scene.frames.shape[2:]
    return torch.from_numpy(np.stack([one.standard_normal(shape, dtype=np.float32) for one in scene.generators]))


def _jpeg(scene: Scene, severity: int) -> UInt8[Tensor, "B 3 H W"]:
    """Packed as JPEG of low quality, and unpacked."""
    how = [cv2.IMWRITE_JPEG_QUALITY, QUALITIES[severity - 1]]
    images = scene.images.permute(0, 2, 3, 1).contiguous().numpy()
    packed = [cv2.imencode(".jpg", image, how)[1] for image in images]
    found = [np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), dtype=np.uint8) for data in packed]
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).contiguous()


def _occluder(scene: Scene, severity: int) -> UInt8[Tensor, "B 3 H W"]:
    """A textured rectangle over a labelled joint, drawn by the sample, and what is around it."""
    images = scene.images
    size = _size(images)
    for image, joints, generator in zip(images, _joints(scene), scene.generators, strict=True):
        joint = joints[generator.integers(len(joints))] if len(joints) else (size - 1) / 2
        centre = joint + generator.uniform(-JITTER, JITTER, 2) * size
        _cover(image, centre, half=_half(size, severity), generator=generator)
    return images


def _box(scene: Scene, severity: int) -> UInt8[Tensor, "B 3 H W"]:
    """A textured rectangle anywhere."""
    images = scene.images
    size = _size(images)
    for image, generator in zip(images, scene.generators, strict=True):
        _cover(image, generator.uniform(0, size), half=_half(size, severity), generator=generator)
    return images


def _person(scene: Scene, _severity: int) -> UInt8[Tensor, "B 3 H W"]:
    """A textured rectangle over all labelled joints, and never a small one; over all where no joint is labelled."""
    images = scene.images
    size = _size(images)
    for image, joints, generator in zip(images, _joints(scene), scene.generators, strict=True):
        corners = np.stack([joints.min(axis=0), joints.max(axis=0)]) if len(joints) else np.stack([0 * size, size])
        half = np.maximum((0.5 + AROUND_PERSON) * (corners[1] - corners[0]), _half(size, 1))
        _cover(image, corners.mean(axis=0), half=half, generator=generator)
    return images


def _foreign(scene: Scene, _severity: int) -> UInt8[Tensor, "B 3 H W"]:
    """A keyframe of another video."""
    images = scene.images
    for row, (video, generator) in enumerate(zip(scene.videos, scene.generators, strict=True)):
        others = [number for number, other in enumerate(scene.donors.videos) if other != video]
        images[row] = scene.donors.frames[others[generator.integers(len(others))]]
    return images


def _dropped(scene: Scene, _severity: int) -> UInt8[Tensor, "B 3 H W"]:
    """The frame never came, and the supporting frame before it stays, or else the next; itself where there is none."""
    others = [place for place, offset in enumerate(scene.clip) if offset != 0 and place != scene.position]
    other = next((place for place in reversed(others) if place < scene.position), (others or [scene.position])[0])
    return scene.frames[:, other].clone(memory_format=torch.contiguous_format)


def _joints(scene: Scene) -> list[Float64[np.ndarray, "J 2"]]:
    return [points[seen].double().numpy() for points, seen in zip(scene.keypoints, scene.visible, strict=True)]


def _size(images: UInt8[Tensor, "*B 3 H W"]) -> Float64[np.ndarray, " 2"]:
    """Width and height, as points are."""
    return np.array([images.shape[-1], images.shape[-2]], dtype=np.float64)


def _half(size: Float64[np.ndarray, " 2"], severity: int) -> Float64[np.ndarray, " 2"]:
    half: Float64[np.ndarray, " 2"] = size * np.sqrt(OCCLUDED * severity) / 2
    return half


def _cover(
    image: UInt8[Tensor, "3 H W"],
    centre: Float64[np.ndarray, " 2"],
    *,
    half: Float64[np.ndarray, " 2"],
    generator: np.random.Generator,
) -> None:
    """Draw one rectangle with a texture into the image."""
    size = _size(image)
    left, top = np.clip(np.rint(centre - half), 0, size).astype(int)
    right, bottom = np.clip(np.rint(centre + half), 0, size).astype(int)
    texture = _texture(generator, size=(image.shape[1], image.shape[2]))
    image[:, top:bottom, left:right] = texture[:, top:bottom, left:right]


def _texture(generator: np.random.Generator, *, size: tuple[int, int]) -> UInt8[Tensor, "3 H W"]:
    """Random colours on a coarse grid, smooth in between, with a grain."""
    coarse = torch.from_numpy(generator.uniform(0, 255, (1, 3, 6, 4)).astype(np.float32))
    smooth = functional.interpolate(coarse, size, mode="bilinear", align_corners=True)[0]
    return _bytes(smooth + torch.from_numpy(generator.normal(0, 12, (3, *size)).astype(np.float32)))


def _bytes(values: Float[Tensor, "*B H W"]) -> UInt8[Tensor, "*B H W"]:
    return values.round().clamp(0, 255).to(torch.uint8)


PIXELS: dict[Kind, Callable[[Scene, int], Tensor]] = {
    "black": _black,
    "motion_blur": _motion_blur,
    "defocus": _defocus,
    "occluder": _occluder,
    "noise": _noise,
    "box": _box,
    "person": _person,
    "darkness": _darkness,
    "jpeg": _jpeg,
    "foreign": _foreign,
    "dropped": _dropped,
}
"""What each kind makes of a scene's frame, by a severity above 0."""
