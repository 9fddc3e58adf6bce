"""Motions: what a person's angles are at each time, for every kind of movement."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.drawn.body import Angles, Array, Proportions

GRAVITY = 9.81


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How one person moves."""

    tempo: float
    """Speed of movement against the average."""
    reach: float
    """Size of movement against the average."""
    phase: float
    """Where in a cycle the person is at time 0, in radians."""
    side: str
    """`left` or `right`: the side that begins, waves, kicks and turns."""
    leg: float
    """Length of a leg in metres: a long leg makes a long step."""
    rates: tuple[float, ...]
    """Cycles a second of the parts of a free dance."""
    phases: tuple[float, ...]
    """Where each of these parts begins, in radians."""


def draw_style(rng: np.random.Generator, proportions: Proportions) -> Style:
    """A random manner of moving."""
    return Style(
        tempo=rng.uniform(0.9, 1.3),
        reach=rng.uniform(0.85, 1.15),
        phase=rng.uniform(0, 2 * np.pi),
        side=str(rng.choice(["left", "right"])),
        leg=0.485 * proportions.height * proportions.leg,
        rates=tuple(rng.uniform(0.7, 1.7, 8)),
        phases=tuple(rng.uniform(0, 2 * np.pi, 8)),
    )


def _cycle(times: Array, style: Style, rate: float) -> Array:
    """The phase of a movement of `rate` cycles a second, in radians."""
    return np.asarray(2 * np.pi * rate * style.tempo * times + style.phase)


def _other(side: str) -> str:
    return "right" if side == "left" else "left"


def _gait(phase: Array, style: Style, *, swing: float, bias: float, knee: float, arm: float) -> Angles:
    """Legs and arms that swing against each other."""
    angles: Angles = {}
    for side, offset in ((style.side, 0.0), (_other(style.side), np.pi)):
        angles[f"{side}_leg_flex"] = bias + swing * np.sin(phase + offset)
        angles[f"{side}_knee"] = 0.1 + bias + knee * np.clip(np.cos(phase + offset + 0.35), 0, 1) ** 1.4
        angles[f"{side}_arm_flex"] = -arm * np.sin(phase + offset)
    sign = -1.0 if style.side == "left" else 1.0
    angles["twist"] = 0.16 * sign * np.sin(phase)
    angles["side"] = 0.04 * sign * np.cos(phase)
    return angles


def walk(times: Array, style: Style) -> Angles:
    """Walk briskly."""
    swing = 0.46 * style.reach
    angles = _gait(_cycle(times, style, 0.95), style, swing=swing, bias=0.05, knee=0.95, arm=0.5)
    speed = 4 * style.leg * np.sin(swing) * 0.95 * style.tempo
    elbow = np.full_like(times, 0.4)
    return angles | {"lean": elbow * 0 + 0.07, "speed": elbow * 0 + speed, "left_elbow": elbow, "right_elbow": elbow}


def run(times: Array, style: Style) -> Angles:
    """Run, with bent elbows and moments in the air."""
    swing = 0.72 * style.reach
    phase = _cycle(times, style, 1.4)
    angles = _gait(phase, style, swing=swing, bias=0.22, knee=1.75, arm=0.8)
    one = np.ones_like(times)
    angles |= {"lean": 0.24 * one, "speed": 4 * style.leg * np.sin(swing) * 1.4 * style.tempo * one}
    angles["lift"] = 0.07 * np.clip(np.sin(2 * phase + 0.6), 0, 1)
    return angles | {"left_elbow": 1.6 * one, "right_elbow": 1.6 * one}


def jump(times: Array, style: Style) -> Angles:
    """Crouch, leave the ground, land, again and again."""
    height = 0.3 * style.reach
    flight = 2 * np.sqrt(2 * height / GRAVITY)
    period = flight + 0.5
    clock = (times * style.tempo + style.phase * period / 6.3) % period
    airborne = clock < flight
    lift = np.where(airborne, GRAVITY / 2 * clock * (flight - clock), 0.0)
    sunk = np.where(airborne, 0.0, np.sin(np.pi * (clock - flight) / 0.5)) ** 2
    raised = np.where(airborne, np.sin(np.pi * clock / flight), 0.0)
    angles: Angles = {"lift": lift, "lean": 0.05 + 0.55 * sunk}
    for side in ("left", "right"):
        angles[f"{side}_leg_flex"] = 0.05 + 1.0 * sunk + 0.25 * raised
        angles[f"{side}_knee"] = 0.1 + 1.6 * sunk + 0.5 * raised
        angles[f"{side}_arm_flex"] = 0.2 - 1.0 * sunk + 2.4 * raised
        angles[f"{side}_elbow"] = 0.3 + 0.4 * sunk
    return angles


def star_jump(times: Array, style: Style) -> Angles:
    """Jumping jacks: arms and legs go apart and together."""
    open_part = 0.5 - 0.5 * np.cos(_cycle(times, style, 1.15))
    angles: Angles = {"lift": 0.08 * np.sin(np.pi * open_part) ** 2}
    for side in ("left", "right"):
        angles[f"{side}_leg_out"] = 0.05 + 0.5 * style.reach * open_part
        angles[f"{side}_arm_out"] = 0.15 + 2.55 * open_part
        angles[f"{side}_elbow"] = 0.2 + 0.1 * open_part
    return angles


def wave(times: Array, style: Style) -> Angles:
    """Wave one raised arm."""
    swing = np.sin(_cycle(times, style, 2.0))
    one = np.ones_like(times)
    return {
        f"{style.side}_arm_out": (1.5 + 0.12 * swing) * one,
        f"{style.side}_arm_flex": 0.3 * one,
        f"{style.side}_arm_roll": np.pi / 2 * one,
        f"{style.side}_elbow": 1.2 + 0.65 * style.reach * swing,
        "side": -0.06 * swing,
        "look": 0.15 * swing,
    }


def signal(times: Array, style: Style) -> Angles:
    """Wave both arms high overhead, swaying."""
    swing = np.sin(_cycle(times, style, 1.3))
    angles: Angles = {"side": 0.12 * swing}
    for side, sign in (("left", -1.0), ("right", 1.0)):
        angles[f"{side}_arm_out"] = 2.5 + 0.4 * sign * style.reach * swing
        angles[f"{side}_elbow"] = 0.35 + 0.25 * swing * sign
        angles[f"{side}_arm_roll"] = np.full_like(times, np.pi / 2)
    return angles


def turn(times: Array, style: Style) -> Angles:
    """Turn on the spot in small steps, arms a little away."""
    sign = -1.0 if style.side == "left" else 1.0
    phase = _cycle(times, style, 1.5)
    angles = _gait(phase, style, swing=0.22, bias=0.08, knee=0.6, arm=0.2)
    one = np.ones_like(times)
    angles |= {"turn": 3.6 * sign * style.tempo * one, "look": 0.35 * sign * one}
    return angles | {"left_arm_out": 0.5 * one, "right_arm_out": 0.5 * one}


def crouch(times: Array, style: Style) -> Angles:
    """Squat down and stand up again."""
    depth = (0.5 - 0.5 * np.cos(_cycle(times, style, 0.75))) * min(style.reach, 1.05)
    angles: Angles = {"lean": 0.05 + 0.6 * depth}
    for side in ("left", "right"):
        angles[f"{side}_leg_flex"] = 0.05 + 1.55 * depth
        angles[f"{side}_knee"] = 0.08 + 2.1 * depth
        angles[f"{side}_leg_out"] = 0.07 + 0.22 * depth
        angles[f"{side}_arm_flex"] = 0.1 + 1.25 * depth
        angles[f"{side}_elbow"] = 0.25 + 0.3 * depth
    return angles


def bend(times: Array, style: Style) -> Angles:
    """Bend down to the ground with one hand and come up."""
    depth = 0.5 - 0.5 * np.cos(_cycle(times, style, 0.7))
    other = _other(style.side)
    return {
        "lean": 0.05 + 1.3 * depth,
        "nod": 0.1 + 0.3 * depth,
        f"{style.side}_arm_flex": 0.1 + 1.5 * depth,
        f"{other}_arm_flex": 0.05 - 0.5 * depth,
        f"{other}_elbow": 0.3 + 0.9 * depth,
        f"{style.side}_leg_flex": 0.05 + 0.75 * depth,
        f"{style.side}_knee": 0.1 + 0.85 * depth,
        f"{other}_leg_flex": 0.02 + 0.2 * depth,
        f"{other}_knee": 0.1 + 0.5 * depth,
    }


def kick(times: Array, style: Style) -> Angles:
    """Kick with one leg."""
    swing = np.sin(_cycle(times, style, 1.0))
    forward = np.clip(swing, 0, 1)
    other = _other(style.side)
    return {
        f"{style.side}_leg_flex": 0.1 - 0.5 * np.clip(-swing, 0, 1) + 1.35 * style.reach * forward,
        f"{style.side}_knee": 0.25 + 1.2 * np.clip(-swing, 0, 1),
        f"{other}_knee": 0.2 + 0.1 * forward,
        f"{other}_leg_flex": 0.12 + 0.05 * forward,
        f"{style.side}_arm_flex": -0.9 * swing,
        f"{other}_arm_flex": 1.1 * swing,
        f"{style.side}_arm_out": 0.3 + 0.3 * forward,
        f"{other}_arm_out": 0.3 + 0.5 * forward,
        "lean": 0.1 - 0.35 * forward,
    }


def box(times: Array, style: Style) -> Angles:
    """Punch with both fists in turn."""
    phase = _cycle(times, style, 1.7)
    sign = 1.0 if style.side == "left" else -1.0
    angles: Angles = {"lean": np.full_like(times, 0.15), "twist": 0.45 * sign * np.sin(phase)}
    for side, offset in ((style.side, 0.0), (_other(style.side), np.pi)):
        hit = np.clip(np.sin(phase + offset), 0, 1)
        angles[f"{side}_arm_flex"] = 0.45 + 1.0 * hit
        angles[f"{side}_elbow"] = 2.2 - 2.0 * hit
        angles[f"{side}_leg_flex"] = np.full_like(times, 0.3 if side == style.side else -0.15)
        angles[f"{side}_knee"] = 0.35 + 0.1 * np.sin(2 * phase)
        angles[f"{side}_leg_out"] = np.full_like(times, 0.16)
    return angles


def dance(times: Array, style: Style) -> Angles:
    """Move freely: every part swings at a rate of its own."""
    waves = np.sin(2 * np.pi * np.outer(np.array(style.rates) * style.tempo, times) + np.array(style.phases)[:, None])
    beat = _cycle(times, style, 1.1)
    angles: Angles = {
        "side": 0.2 * waves[0],
        "twist": 0.4 * waves[1],
        "lean": 0.1 + 0.12 * waves[2],
        "turn": 1.5 * waves[3],
        "look": 0.3 * waves[4],
    }
    for side, sign, a, b in (("left", 1.0, 4, 5), ("right", -1.0, 6, 7)):
        bounce = 0.5 + 0.5 * sign * np.sin(beat)
        angles[f"{side}_arm_out"] = 1.0 + 0.8 * style.reach * waves[a]
        angles[f"{side}_arm_flex"] = 0.5 + 0.6 * waves[b]
        angles[f"{side}_arm_roll"] = 0.8 + 0.7 * waves[a]
        angles[f"{side}_elbow"] = 1.1 + 0.8 * waves[b]
        angles[f"{side}_leg_flex"] = 0.15 + 0.55 * bounce
        angles[f"{side}_knee"] = 0.25 + 1.0 * bounce
        angles[f"{side}_leg_out"] = 0.12 + 0.12 * waves[a]
    return angles


def stand(times: Array, style: Style) -> Angles:
    """Stand, looking about and gesturing a little."""
    slow = np.sin(_cycle(times, style, 0.5))
    return {
        "look": 0.5 * slow,
        "side": 0.03 * slow,
        f"{style.side}_elbow": 1.3 + 0.5 * np.sin(_cycle(times, style, 1.2)),
        f"{style.side}_arm_flex": 0.3 + 0.15 * slow,
    }


MOTIONS: dict[str, Callable[[Array, Style], Angles]] = {
    motion.__name__: motion
    for motion in (walk, run, jump, star_jump, wave, signal, turn, crouch, bend, kick, box, dance, stand)
}
"""Movements by name."""
