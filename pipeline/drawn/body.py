"""The body: its lengths, and where each point of it is when its angles are known."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

Array = NDArray[np.float64]
Angles = dict[str, Array]

REST = {
    "lean": 0.02, "side": 0.0, "twist": 0.0, "nod": 0.05, "look": 0.0, "lift": 0.0, "speed": 0.0, "turn": 0.0,
    "left_arm_flex": 0.05, "left_arm_out": 0.14, "left_arm_roll": 0.0, "left_elbow": 0.25,
    "right_arm_flex": 0.05, "right_arm_out": 0.14, "right_arm_roll": 0.0, "right_elbow": 0.25,
    "left_leg_flex": 0.02, "left_leg_out": 0.06, "left_knee": 0.06,
    "right_leg_flex": 0.02, "right_leg_out": 0.06, "right_knee": 0.06,
}  # fmt: skip
"""Every channel of a pose and its value when standing at ease: radians, but `lift` (metres between the lowest foot and
the ground), `speed` (metres a second along the heading) and `turn` (radians a second of the heading)."""

THROAT = 0.16
"""From the chin down to the upper neck, PoseTrack's `head_bottom`, in head lengths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportions:
    """Lengths of one person, in metres."""

    height: float
    girth: float
    """Thickness of limbs and trunk against the average."""
    shoulder: float
    """From the trunk's axis to a shoulder."""
    hip: float
    """From the trunk's axis to a hip."""
    leg: float
    """Length of the legs against the average."""
    head: float
    """From the chin to the top of the head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A person at T instants, in world axes (right, up, away; metres)."""

    points: dict[str, Float[NDArray[np.float64], "T 3"]]
    """By name: the joints, and the tips of hands and toes."""
    pelvis: Float[NDArray[np.float64], "T 3 3"]
    """Rows are the pelvis's own right, up and forward."""
    chest: Float[NDArray[np.float64], "T 3 3"]
    """The same of the chest."""
    head: Float[NDArray[np.float64], "T 3 3"]
    """The same of the head."""

    def first(self, count: int) -> "Body":
        """The body at its first `count` instants."""
        points = {name: point[:count] for name, point in self.points.items()}
        return Body(points=points, pelvis=self.pelvis[:count], chest=self.chest[:count], head=self.head[:count])


def draw_proportions(rng: np.random.Generator) -> Proportions:
    """A random adult or, one time in eight, a child."""
    child = rng.random() < 0.125
    height = rng.uniform(1.15, 1.45) if child else rng.uniform(1.55, 1.92)
    girth = rng.uniform(0.88, 1.25)
    return Proportions(
        height=height,
        girth=girth,
        shoulder=height * rng.uniform(0.1, 0.118) * girth**0.4,
        hip=height * rng.uniform(0.05, 0.06) * girth**0.4,
        leg=rng.uniform(0.95, 1.04) * (0.94 if child else 1.0),
        head=height * (rng.uniform(0.155, 0.17) if child else rng.uniform(0.128, 0.142)),
    )


def mirrored(angles: Angles) -> Angles:
    """The same pose in a mirror: left and right change places, and so do turns to either side."""
    swap = {"left": "right", "right": "left"}
    result = {}
    for name, values in angles.items():
        side, _, rest = name.partition("_")
        target = f"{swap[side]}_{rest}" if side in swap else name
        result[target] = -values if name in ("side", "twist", "look", "turn") else values
    return result


def pose(
    angles: Angles,
    *,
    proportions: Proportions,
    ground: Float[NDArray[np.float64], "T 2"],
    heading: Float[NDArray[np.float64], " T"],
) -> Body:
    """Place a body on the ground.

    Args:
        angles: every channel of `REST`, each of T values.
        proportions: the person's lengths.
        ground: where the pelvis is above the ground: right and away, in metres.
        heading: where the pelvis faces: 0 is away from the camera, a quarter turn is to the right, in radians.
    """
    pelvis = _axes(heading)
    chest = _bent(pelvis, twist=angles["twist"], lean=angles["lean"], side=angles["side"])
    head = _bent(chest, twist=angles["look"], lean=angles["nod"] - 0.7 * angles["lean"], side=-0.5 * angles["side"])
    points = _trunk(pelvis, chest=chest, head=head, proportions=proportions)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        points |= _arm(side, sign=sign, angles=angles, chest=chest, neck=points["neck"], proportions=proportions)
        points |= _leg(side, sign=sign, angles=angles, pelvis=pelvis, proportions=proportions)
    feet = [points[f"{side}_{part}"][:, 1] for side in ("left", "right") for part in ("heel", "toe")]
    height = angles["lift"] - np.min(feet, axis=0) + 0.02
    offset = np.stack([ground[:, 0], height, ground[:, 1]], axis=1)
    return Body(points={name: point + offset for name, point in points.items()}, pelvis=pelvis, chest=chest, head=head)


def _axes(heading: Array) -> Array:
    """Right, up and forward of somebody upright; (T, 3, 3)."""
    sin, cos, zero, one = np.sin(heading), np.cos(heading), np.zeros_like(heading), np.ones_like(heading)
    return np.moveaxis(np.array([[cos, zero, -sin], [zero, one, zero], [sin, zero, cos]]), -1, 0)


def _bent(axes: Array, *, twist: Array, lean: Array, side: Array) -> Array:
    """Axes turned right about their up, leant forward, then leant to the right; (T, 3, 3)."""
    right, up, forward = axes[:, 0], axes[:, 1], axes[:, 2]
    right, forward = _mix(right, -forward, twist), _mix(forward, right, twist)
    up, forward = _mix(up, forward, lean), _mix(forward, -up, lean)
    right, up = _mix(right, -up, side), _mix(up, right, side)
    return np.stack([right, up, forward], axis=1)


def _mix(first: Array, second: Array, angle: Array) -> Array:
    """`first` turned towards `second` by an angle."""
    return np.asarray(first * np.cos(angle)[:, None] + second * np.sin(angle)[:, None])


def _trunk(pelvis: Array, *, chest: Array, head: Array, proportions: Proportions) -> dict[str, Array]:
    """Trunk, neck and head with the pelvis at the origin."""
    height = proportions.height
    waist = 0.09 * height * pelvis[:, 1]
    neck = waist + 0.2 * height * chest[:, 1]
    chin = neck + 0.035 * height * (0.6 * chest[:, 1] + 0.4 * head[:, 1])
    middle = chin + proportions.head * (0.5 * head[:, 1] + 0.08 * head[:, 2])
    return {
        "pelvis": np.zeros_like(neck),
        "waist": waist,
        "neck": neck,
        "head_bottom": chin - THROAT * proportions.head * head[:, 1],
        "head": middle,
        "head_top": middle + 0.5 * proportions.head * head[:, 1],
        "nose": middle + proportions.head * (0.47 * head[:, 2] - 0.08 * head[:, 1]),
    }


def _direction(axes: Array, *, sign: float, flex: Array, out: Array) -> tuple[Array, Array, Array]:
    """Where a hanging limb points when it is swung forward by `flex` and then outward by `out`.

    Returns:
        The limb's direction, where it would move if it flexed more, and where if it went outward more; (T, 3) each.
    """
    down, forward, outward = -axes[:, 1], axes[:, 2], sign * axes[:, 0]
    swung, ahead = _mix(down, forward, flex), _mix(forward, -down, flex)
    return _mix(swung, outward, out), ahead, _mix(outward, -swung, out)


def _arm(
    side: str, *, sign: float, angles: Angles, chest: Array, neck: Array, proportions: Proportions
) -> dict[str, Array]:
    """One arm, from the shoulder to the finger tips."""
    height = proportions.height
    flex, out = angles[f"{side}_arm_flex"], angles[f"{side}_arm_out"]
    upper, ahead, outward = _direction(chest, sign=sign, flex=flex, out=out)
    bend = _mix(ahead, outward, angles[f"{side}_arm_roll"])
    lower = _mix(upper, bend, angles[f"{side}_elbow"])
    raised = np.clip(out - 1.2, 0, 1)[:, None]
    shoulder = neck + sign * proportions.shoulder * (1 - 0.12 * raised) * chest[:, 0]
    shoulder = shoulder + height * (0.03 * raised - 0.018) * chest[:, 1]
    elbow = shoulder + 0.172 * height * upper
    wrist = elbow + 0.15 * height * lower
    return {
        f"{side}_shoulder": shoulder,
        f"{side}_elbow": elbow,
        f"{side}_wrist": wrist,
        f"{side}_hand": wrist + 0.062 * height * lower,
    }


def _leg(side: str, *, sign: float, angles: Angles, pelvis: Array, proportions: Proportions) -> dict[str, Array]:
    """One leg, from the hip to heel and toe."""
    height, length = proportions.height, proportions.height * proportions.leg
    flex, out = angles[f"{side}_leg_flex"], angles[f"{side}_leg_out"]
    thigh, ahead, _ = _direction(pelvis, sign=sign, flex=flex, out=out)
    knee_angle = angles[f"{side}_knee"]
    shin, instep = _mix(thigh, -ahead, knee_angle), _mix(ahead, thigh, knee_angle)
    hip = sign * proportions.hip * pelvis[:, 0]
    knee = hip + 0.245 * length * thigh
    ankle = knee + 0.24 * length * shin
    foot = 0.4 * instep + 0.6 * pelvis[:, 2] + 0.15 * sign * pelvis[:, 0]
    foot /= np.linalg.norm(foot, axis=1, keepdims=True)
    sole = ankle + 0.028 * height * shin
    return {
        f"{side}_hip": hip,
        f"{side}_knee": knee,
        f"{side}_ankle": ankle,
        f"{side}_heel": sole - 0.025 * height * foot,
        f"{side}_toe": sole + 0.098 * height * foot,
    }
