"""Casting: who is in a video, where they stand, and what they do."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from pipeline.drawn.body import Body, Proportions, draw_proportions, pose
from pipeline.drawn.motion import Style, draw_style
from pipeline.drawn.performance import Cue, perform, travel

ACTIONS = ("jump", "star_jump", "wave", "signal", "turn", "crouch", "bend", "kick", "box", "dance", "stand")
CHANCES = (0.1, 0.12, 0.1, 0.09, 0.1, 0.1, 0.07, 0.08, 0.08, 0.12, 0.04)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """One person's part in a video."""

    number: int
    """Number of the person in the whole dataset; it decides the looks."""
    proportions: Proportions
    style: Style
    cues: tuple[Cue, ...]
    anchor: tuple[float, float]
    """Where the person is at `anchor_time`: right and away, in metres."""
    anchor_time: float
    """Seconds."""
    heading: float
    """Heading at time 0, in radians."""

    def body(self, times: Float[NDArray[np.float64], " T"]) -> Body:
        """The body at T times."""
        moved, heading = travel(
            self.cues, style=self.style, times=np.append(times, self.anchor_time), heading=self.heading
        )
        ground = moved[:-1] - moved[-1] + np.array(self.anchor)
        angles = perform(self.cues, style=self.style, times=times)
        return pose(angles, proportions=self.proportions, ground=ground, heading=heading[:-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """What casting has to know of the camera: pixels, metres, seconds."""

    size: tuple[int, int]
    horizon: float
    focal: float
    height: float
    duration: float


def cast(
    lens: Lens,
    *,
    count: int,
    first_number: int,
    person_height: tuple[float, float],
    rng: np.random.Generator,
) -> list[Actor]:
    """People for one video: some pass, some come or go, the others act where they stand."""
    roles = ["pass", "edge", *rng.choice(["act", "act", "act", "act", "pass", "near"], max(count, 2))][:count]
    columns = (np.arange(count) + rng.uniform(0.25, 0.75, count)) / count
    rng.shuffle(columns)
    bodies = [draw_proportions(rng) for _ in range(count)]
    away = _distances(lens, bodies=bodies, person_height=person_height, rng=rng)
    return [
        _actor(lens, number=first_number + index, role=str(role), proportions=body, spot=(float(column), far), rng=rng)
        for index, (role, body, column, far) in enumerate(zip(roles, bodies, columns, away, strict=True))
    ]


def _distances(
    lens: Lens, *, bodies: list[Proportions], person_height: tuple[float, float], rng: np.random.Generator
) -> list[float]:
    """Metres away at which people appear as tall as wanted, their feet in the image, no two at the same depth."""
    away = []
    for body in bodies:
        room = (lens.size[0] * 0.985 - lens.horizon) * body.height / lens.height
        wanted = float(rng.uniform(*person_height)) * min(1.0, body.height / 1.6)
        away.append(lens.focal * body.height / max(min(wanted, room), 8.0))
    order = np.argsort(away)
    for nearer, farther in pairwise(order):
        away[farther] = max(away[farther], away[nearer] + 0.3)
    return away


def _actor(
    lens: Lens,
    *,
    number: int,
    role: str,
    proportions: Proportions,
    spot: tuple[float, float],
    rng: np.random.Generator,
) -> Actor:
    """One person in a role, at a column (part of the width) and a distance (metres)."""
    column, away = spot
    middle = lens.duration / 2
    sideways = float(rng.choice([-1.0, 1.0]))
    gait = "run" if rng.random() < 0.45 else "walk"
    if role == "act":
        heading = np.pi + float(rng.normal(0, 0.6)) if rng.random() < 0.85 else float(rng.uniform(0, 2 * np.pi))
        cues = _actions(lens.duration, rng)
    elif role == "near":
        heading = float(rng.choice([0.0, np.pi])) + float(rng.normal(0, 0.4))
        cues = (Cue(motion="walk", start=0.0),)
    else:
        heading = sideways * (np.pi / 2 + float(rng.normal(0.45, 0.3)))  # mostly a little towards the camera
        cues = _passing(gait, lens.duration, rng)
        column = float(rng.uniform(0.25, 0.75)) if role == "pass" else 0.5 + 0.5 * float(rng.choice([-1.0, 1.0]))
    x = (column - 0.5) * lens.size[1] / lens.focal * away
    return Actor(
        number=number,
        proportions=proportions,
        style=draw_style(rng, proportions),
        cues=cues,
        anchor=(x, away),
        anchor_time=middle,
        heading=heading,
    )


def _actions(duration: float, rng: np.random.Generator) -> tuple[Cue, ...]:
    """Two or three actions in turn."""
    names = rng.choice(ACTIONS, 6, p=CHANCES)
    starts = np.concatenate([[0.0], np.cumsum(rng.uniform(0.55, 1.1, 5))])
    return tuple(
        Cue(motion=str(name), start=float(start)) for name, start in zip(names, starts, strict=True) if start < duration
    )


def _passing(gait: str, duration: float, rng: np.random.Generator) -> tuple[Cue, ...]:
    """Walk or run, sometimes changing to the other or stopping to act."""
    cues: tuple[Cue, ...] = (Cue(motion=gait, start=0.0),)
    if rng.random() < 0.35:
        then = str(rng.choice(["walk" if gait == "run" else "run", "wave", "crouch", "turn"]))
        cues += (Cue(motion=then, start=float(rng.uniform(0.3, 0.8)) * duration),)
    return cues
