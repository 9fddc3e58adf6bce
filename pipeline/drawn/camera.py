"""The camera: it stands still, turns, zooms and shakes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

NEAREST = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A camera at T instants. World and camera axes are right, up, away, in metres; the ground is at height 0."""

    height: float
    """Metres above the ground at the origin."""
    rotation: Float[NDArray[np.float64], "T 3 3"]
    """Rows are the camera's right, up and away in world axes."""
    focal: Float[NDArray[np.float64], " T"]
    """Focal length in pixels."""
    center: tuple[float, float]
    """The pixel (x, y) that it looks at; with no tilt, y is the horizon."""

    def view(self, world: Float[NDArray[np.float64], "T *P 3"]) -> Float[NDArray[np.float64], "T *P 3"]:
        """World points in camera axes."""
        moved = world - np.array([0.0, self.height, 0.0])
        return np.asarray(np.einsum("tij,t...j->t...i", self.rotation, moved))

    def project(self, viewed: Float[NDArray[np.float64], "T *P 3"]) -> Float[NDArray[np.float64], "T *P 2"]:
        """Points in camera axes as pixels (x, y); what is behind the camera is held at its nearest plane."""
        scale = self.scale(viewed)
        x = self.center[0] + scale * viewed[..., 0]
        y = self.center[1] - scale * viewed[..., 1]
        return np.stack([x, y], axis=-1)

    def scale(self, viewed: Float[NDArray[np.float64], "T *P 3"]) -> Float[NDArray[np.float64], " T *P"]:
        """Pixels a metre at points in camera axes."""
        focal = self.focal.reshape((-1,) + (1,) * (viewed.ndim - 2))
        return np.asarray(focal / np.maximum(viewed[..., 2], NEAREST))

    def first(self, count: int) -> "Camera":
        """The camera at its first `count` instants."""
        return Camera(height=self.height, rotation=self.rotation[:count], focal=self.focal[:count], center=self.center)

    def matrix(self, instant: int) -> Float[NDArray[np.float64], "3 3"]:
        """From a world direction to a homogeneous pixel at one instant."""
        focal = self.focal[instant]
        intrinsic = np.array([[focal, 0.0, self.center[0]], [0.0, -focal, self.center[1]], [0.0, 0.0, 1.0]])
        return np.asarray(intrinsic @ self.rotation[instant])


def still(*, height: float, focal: float, center: tuple[float, float], instants: int = 1) -> Camera:
    """A camera that looks straight ahead and does not move."""
    rotation = np.broadcast_to(np.eye(3), (instants, 3, 3))
    return Camera(height=height, rotation=rotation, focal=np.full(instants, focal), center=center)


def turned(
    yaw: Float[NDArray[np.float64], " T"],
    *,
    pitch: Float[NDArray[np.float64], " T"],
    roll: Float[NDArray[np.float64], " T"],
) -> Float[NDArray[np.float64], "T 3 3"]:
    """Rotations of a camera turned right by `yaw`, up by `pitch` and clockwise by `roll`, in radians."""
    zero, one = np.zeros_like(yaw), np.ones_like(yaw)

    def stack(rows: list[list[NDArray[np.float64]]]) -> NDArray[np.float64]:
        return np.moveaxis(np.array(rows), -1, 0)

    about_up = stack(
        [[np.cos(yaw), zero, -np.sin(yaw)], [zero, one, zero], [np.sin(yaw), zero, np.cos(yaw)]],
    )
    about_right = stack(
        [[one, zero, zero], [zero, np.cos(pitch), -np.sin(pitch)], [zero, np.sin(pitch), np.cos(pitch)]],
    )
    about_away = stack(
        [[np.cos(roll), -np.sin(roll), zero], [np.sin(roll), np.cos(roll), zero], [zero, zero, one]],
    )
    return np.asarray(about_away @ about_right @ about_up)


def handheld(
    times: Float[NDArray[np.float64], " T"],
    *,
    rng: np.random.Generator,
    duration: float,
    height: float,
    focal: float,
    center: tuple[float, float],
) -> Camera:
    """A camera that pans and zooms through the video and shakes a little, in the way that `rng` decides."""
    progress = times / duration - 0.5
    pan, tilt, zoom = rng.uniform(-0.16, 0.16), rng.uniform(-0.025, 0.025), rng.uniform(-0.14, 0.14)
    shake = 0.0035 * rng.uniform(0, 1) ** 2
    yaw = pan * progress + shake * _wobble(times, rng)
    pitch = tilt * progress + shake * _wobble(times, rng)
    roll = 0.6 * shake * _wobble(times, rng)
    rotation = turned(yaw, pitch=pitch, roll=roll)
    return Camera(height=height, rotation=rotation, focal=focal * (1 + zoom * progress), center=center)


def _wobble(times: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A smooth curve around 0, of a few sines between 1 and 7 Hz."""
    rates, phases = rng.uniform(1, 7, 4), rng.uniform(0, 2 * np.pi, 4)
    return np.asarray(np.sin(2 * np.pi * times[:, None] * rates + phases).sum(axis=1))
