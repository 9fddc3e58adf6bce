"""A scene: the place, the camera and everybody in it, ready to be painted at every instant."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from pipeline.drawn.appearance import draw_appearance
from pipeline.drawn.backdrop import paint_backdrop
from pipeline.drawn.body import Body
from pipeline.drawn.camera import Camera, handheld, still
from pipeline.drawn.casting import Actor, Lens, cast
from pipeline.drawn.config import DrawConfig
from pipeline.drawn.crowd import paint_crowd
from pipeline.drawn.figure import dress
from pipeline.drawn.labels import Track, track
from pipeline.drawn.occluders import draw_occluder
from pipeline.drawn.outline import Array
from pipeline.drawn.render import Image, Layer, layer
from pipeline.drawn.view import StillView

MARGIN = 0.2
"""How far the backdrop reaches beyond each side of the frame, as a share of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A video before it is painted. Of its instants, the first `frames` are the shutter's middles, frame by frame."""

    frames: int
    camera: Camera
    backdrop: UInt8[NDArray[np.uint8], "h w 3"]
    crowd: UInt8[NDArray[np.uint8], "h w"]
    """255 where the backdrop shows the far crowd."""
    to_backdrop: NDArray[np.float64]
    """From a direction in the world to a pixel of the backdrop; (3, 3)."""
    people: list[Layer]
    things: list[Layer]
    tracks: list[Track]
    feet: Array
    """Where the people's shadows are in the frames; (F, N, 2) pixels."""
    shadows: Array
    """Half axes of the shadows; (F, N, 2) pixels."""


def instants(frames: int, *, config: DrawConfig) -> Array:
    """Times in seconds: the middle of each frame's shutter, then the `subframes` of each frame around it."""
    middles = np.arange(frames) / config.fps
    offsets = ((np.arange(config.subframes) + 0.5) / config.subframes - 0.5) * config.shutter / config.fps
    return np.concatenate([middles, (middles[:, None] + offsets).ravel()])


def build_scene(frames: int, *, first_number: int, people: int, config: DrawConfig, rng: np.random.Generator) -> Scene:
    """Everything in one video, decided by `rng` and the numbers of its people."""
    lens, times = _lens(frames, config=config, rng=rng), instants(frames, config=config)
    center = (config.size[1] / 2, lens.horizon)
    camera = handheld(times, rng=rng, duration=lens.duration, height=lens.height, focal=lens.focal, center=center)
    light = (float(rng.uniform(-0.8, 0.8)), -0.7)
    actors = cast(lens, count=people, first_number=first_number, person_height=config.person_height, rng=rng)
    cast_bodies = [(actor, actor.body(times)) for actor in actors]
    backdrop, crowd, to_backdrop = _place(lens, has_crowd=bool(rng.random() < config.crowd), rng=rng)
    middles = camera.first(frames)
    feet, shadows = _shadows([body.first(frames) for _, body in cast_bodies], camera=middles)
    return Scene(
        frames=frames,
        camera=camera,
        backdrop=backdrop,
        crowd=crowd,
        to_backdrop=to_backdrop,
        people=[_layer(actor, body, camera=camera, light=light, seed=config.seed) for actor, body in cast_bodies],
        things=_things(lens, camera=camera, light=light, count=config.occluders, rng=rng),
        tracks=[
            track(body.first(frames), camera=middles, head_length=actor.proportions.head, rng=rng)
            for actor, body in cast_bodies
        ],
        feet=feet,
        shadows=shadows,
    )


def _lens(frames: int, *, config: DrawConfig, rng: np.random.Generator) -> Lens:
    """Where the camera stands and how wide it sees."""
    height = config.size[0]
    return Lens(
        size=config.size,
        horizon=height * float(rng.uniform(0.3, 0.46)),
        focal=height * float(rng.uniform(1.15, 1.6)),
        height=float(rng.uniform(1.05, 1.55)),
        duration=frames / config.fps,
    )


def _layer(actor: Actor, body: Body, *, camera: Camera, light: tuple[float, float], seed: int) -> Layer:
    """One person, dressed."""
    appearance = draw_appearance(seed, actor.number)
    parts = dress(body, proportions=actor.proportions, appearance=appearance, camera=camera, light=light)
    return layer(parts, camera.view(body.points["pelvis"])[:, 2])


def _things(
    lens: Lens, *, camera: Camera, light: tuple[float, float], count: tuple[int, int], rng: np.random.Generator
) -> list[Layer]:
    """Things that stand between the camera and some of the people."""
    layers = []
    for _ in range(int(rng.integers(count[0], count[1] + 1))):
        away = lens.focal / lens.size[0] * float(rng.uniform(2.0, 3.8))
        right = float(rng.uniform(-0.5, 0.5)) * lens.size[1] / lens.focal * away
        parts = draw_occluder(camera, light=light, place=(right, away), rng=rng)
        layers.append(layer(parts, parts[0].depth))
    return layers


def _shadows(bodies: list[Body], *, camera: Camera) -> tuple[Array, Array]:
    """Middles and half axes of the people's shadows in every frame; (F, N, 2) pixels each."""
    centers, radii = [], []
    for body in bodies:
        ankles = [body.points[f"{side}_ankle"] for side in ("left", "right")]
        middle = np.mean(ankles, axis=0) * np.array([1.0, 0.0, 1.0])
        spread = 0.28 + 0.4 * np.abs(ankles[0] - ankles[1])[:, 0]
        viewed = camera.view(middle)
        scale = camera.scale(viewed)
        centers.append(camera.project(viewed))
        radii.append(np.stack([spread * scale, 0.26 * scale * camera.height / viewed[:, 2]], axis=1))
    return np.stack(centers, axis=1), np.abs(np.stack(radii, axis=1))


def _place(lens: Lens, *, has_crowd: bool, rng: np.random.Generator) -> tuple[Image, NDArray[np.uint8], Array]:
    """The backdrop, where its crowd is, and the way from a direction to its pixels."""
    height, width = lens.size
    wide = (round(height * (1 + 2 * MARGIN)), round(width * (1 + 2 * MARGIN)))
    middle, horizon = width * (0.5 + MARGIN), lens.horizon + height * MARGIN
    view = StillView(size=wide, horizon=horizon, middle=middle, focal=lens.focal, height=lens.height)
    backdrop = paint_backdrop(view, rng)
    crowd = np.zeros(wide, np.uint8)
    camera = still(height=lens.height, focal=lens.focal, center=(middle, horizon))
    if has_crowd:
        crowd = paint_crowd(backdrop, height=lens.height, focal=lens.focal, center=(middle, horizon), rng=rng)
    return backdrop, crowd, camera.matrix(0)
