"""Performances: movements one after another, and the way that they lead."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from pipeline.drawn.body import REST, Angles, Array
from pipeline.drawn.motion import MOTIONS, Style

BLEND = 0.28
"""Seconds in which a movement fades into the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """A movement and the time at which it begins, in seconds."""

    motion: str
    start: float


def perform(
    cues: tuple[Cue, ...], *, style: Style, times: Float[NDArray[np.float64], " T"]
) -> dict[str, Float[NDArray[np.float64], " T"]]:
    """Every channel of the pose at T times; each movement fades into the next in `BLEND` seconds."""
    played = [_complete(MOTIONS[cue.motion](times, style), len(times)) for cue in cues]
    result = played[0]
    for cue, angles in zip(cues[1:], played[1:], strict=True):
        part = _ease((times - cue.start) / BLEND)
        result = {name: (1 - part) * result[name] + part * angles[name] for name in REST}
    return result


def travel(
    cues: tuple[Cue, ...], *, style: Style, times: Float[NDArray[np.float64], " T"], heading: float
) -> tuple[Float[NDArray[np.float64], "T 2"], Float[NDArray[np.float64], " T"]]:
    """Where the person has gone (right and away, metres) since time 0, and the heading, at T times of any order."""
    grid = np.arange(min(times.min(), 0.0) - 0.05, times.max() + 0.05, 0.004)
    angles = perform(cues, style=style, times=grid)
    headings = heading + _since_zero(angles["turn"], grid)
    velocity = angles["speed"][:, None] * np.stack([np.sin(headings), np.cos(headings)], axis=1)
    gone = [np.interp(times, grid, _since_zero(velocity[:, axis], grid)) for axis in (0, 1)]
    return np.stack(gone, axis=1), np.interp(times, grid, headings)


def _since_zero(rate: Array, grid: Array) -> Array:
    """The integral of a rate over the grid's times, 0 at time 0."""
    total = np.cumsum(rate) * (grid[1] - grid[0])
    return np.asarray(total - np.interp(0.0, grid, total))


def _complete(angles: Angles, count: int) -> Angles:
    """All channels, at rest where the movement says nothing."""
    return {name: np.broadcast_to(np.asarray(angles.get(name, rest), float), (count,)) for name, rest in REST.items()}


def _ease(part: Array) -> Array:
    """From 0 to 1 with a smooth start and end."""
    part = np.clip(part, 0, 1)
    return np.asarray(part * part * (3 - 2 * part))
