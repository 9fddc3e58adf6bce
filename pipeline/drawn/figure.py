"""A dressed person: body and looks become parts to paint."""

from dataclasses import replace

import numpy as np

from pipeline.drawn.appearance import Appearance, Colour, shade
from pipeline.drawn.body import Body, Proportions
from pipeline.drawn.camera import Camera
from pipeline.drawn.head import Skull, head_parts
from pipeline.drawn.outline import Array, Part, Pen, Shape, Tube, band, shaded, stretch, tube
from pipeline.drawn.trunk import Trunk, trunk_parts

ARM = (0.05, 0.052, 0.047, 0.041)
FOREARM = (0.041, 0.044, 0.036, 0.027)
HAND = (0.026, 0.036, 0.034, 0.022)
THIGH = (0.088, 0.086, 0.072, 0.058)
SHIN = (0.056, 0.063, 0.05, 0.038)
AVERAGE = 1.75
ARM_ENDS = ("shoulder", "elbow")
LEG_ENDS = ("hip", "knee")
SHADOW = 1.0
"""Share of the light that a limb loses for each metre that it is behind the other one."""
DARKEST = 0.6


def dress(
    body: Body, *, proportions: Proportions, appearance: Appearance, camera: Camera, light: tuple[float, float]
) -> list[Part]:
    """Every part of one person at every instant; `light` is where the light comes from in the image, (x, y)."""
    pen = Pen(camera, light)
    points = {name: camera.view(point) for name, point in body.points.items()}
    size = proportions.height / AVERAGE
    girth = size * proportions.girth
    pelvis, chest, head = (_turned(axes, camera) for axes in (body.pelvis, body.chest, body.head))
    parts: list[Part] = []
    for side in ("left", "right"):
        arm = _in_shadow(appearance, points, side=side, limb=ARM_ENDS)
        leg = _in_shadow(appearance, points, side=side, limb=LEG_ENDS)
        parts += _arm(pen, points, side=side, girth=girth, appearance=arm)
        parts += _leg(pen, points, side=side, girth=girth, appearance=leg)
    trunk = Trunk(points["pelvis"], points["waist"], points["neck"], pelvis, chest, proportions)
    parts += trunk_parts(pen, trunk, appearance)
    if appearance.skirt:
        parts.append(_skirt(pen, points, girth=girth, appearance=appearance))
    parts.append(_neck(pen, points, girth=girth, skin=appearance.skin))
    return parts + head_parts(pen, Skull(points["head"], head * proportions.head), appearance)


def _in_shadow(appearance: Appearance, points: dict[str, Array], *, side: str, limb: tuple[str, ...]) -> Appearance:
    """The looks of one limb: the farther of a pair lies in the body's shadow, the darker the farther it is behind."""
    other = "right" if side == "left" else "left"
    depth, opposite = (np.mean([points[f"{which}_{end}"][:, 2] for end in limb]) for which in (side, other))
    light = float(np.clip(1 - SHADOW * (depth - opposite), DARKEST, 1))
    return replace(
        appearance,
        skin=shade(appearance.skin, light),
        top=shade(appearance.top, light),
        accent=shade(appearance.accent, light),
        pattern_colour=shade(appearance.pattern_colour, light),
        bottom=shade(appearance.bottom, light),
        socks=shade(appearance.socks, light),
        shoes=shade(appearance.shoes, light),
        sole=shade(appearance.sole, light),
    )


def _turned(axes: Array, camera: Camera) -> Array:
    """Axes (rows) from the world to the camera."""
    return np.asarray(np.einsum("tij,tkj->tki", camera.rotation, axes))


def _scaled(radii: tuple[float, ...], factor: float, extra: float = 0.0) -> tuple[float, ...]:
    return tuple(radius * factor + extra for radius in radii)


def _arm(pen: Pen, points: dict[str, Array], *, side: str, girth: float, appearance: Appearance) -> list[Part]:
    """Upper arm, forearm and hand, with the sleeve over them."""
    shoulder, elbow, wrist, hand = (points[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist", "hand"))
    upper = shaded(pen, tube(pen, shoulder, elbow, radii=_scaled(ARM, girth)), appearance.skin)
    lower = shaded(pen, tube(pen, elbow, wrist, radii=_scaled(FOREARM, girth)), appearance.skin)
    palm = shaded(pen, tube(pen, wrist, hand, radii=_scaled(HAND, girth)), appearance.skin)
    colour = appearance.accent if appearance.front == "vest" else appearance.top
    if appearance.sleeve > 0:
        reach = min(appearance.sleeve, 1.0)
        sleeve = tube(
            pen,
            shoulder,
            elbow,
            radii=_scaled(ARM, girth, appearance.loose),
            part=(0.0, reach),
            ends=(1.0, float(reach == 1)),
        )
        upper += shaded(pen, sleeve, colour) + _hoops(sleeve, appearance)
    if appearance.sleeve > 1:
        sleeve = tube(
            pen,
            elbow,
            wrist,
            radii=_scaled(FOREARM, girth, 0.7 * appearance.loose),
            part=(0.0, appearance.sleeve - 1),
            ends=(1.0, 0.2),
        )
        lower += shaded(pen, sleeve, colour) + _hoops(sleeve, appearance)
    upper_depth = (shoulder[:, 2] + elbow[:, 2]) / 2
    return [Part(upper_depth - 0.03, upper), Part((elbow[:, 2] + wrist[:, 2]) / 2 - 0.05, palm + lower)]


def _hoops(sleeve: Tube, appearance: Appearance) -> list[Shape]:
    """Rings around a sleeve whose trunk has them too."""
    if appearance.pattern != "hoops" or appearance.front == "vest":
        return []
    starts = np.linspace(0.1, 0.8, 3)
    return [band(stretch(sleeve, start, start + 0.14), appearance.pattern_colour) for start in starts]


def _leg(pen: Pen, points: dict[str, Array], *, side: str, girth: float, appearance: Appearance) -> list[Part]:
    """Thigh, shin and shoe, with trousers over them."""
    hip, knee, ankle, heel, toe = (points[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "heel", "toe"))
    loose = 0.8 * appearance.loose
    thigh = shaded(pen, tube(pen, hip, knee, radii=_scaled(THIGH, girth)), appearance.skin)
    shin = shaded(pen, tube(pen, knee, ankle, radii=_scaled(SHIN, girth)), appearance.skin)
    sock = tube(pen, knee, ankle, radii=_scaled(SHIN, girth, 0.003), part=(0.7, 1.0), ends=(0.0, 0.0))
    shin += shaded(pen, sock, appearance.socks)
    reach = min(appearance.trousers, 1.0)
    leg = tube(pen, hip, knee, radii=_scaled(THIGH, girth, loose), part=(0.0, reach), ends=(1.0, float(reach == 1)))
    thigh += shaded(pen, leg, appearance.bottom)
    if appearance.trousers > 1:
        leg = tube(
            pen,
            knee,
            ankle,
            radii=_scaled(SHIN, girth, loose + 0.004),
            part=(0.0, appearance.trousers - 1),
            ends=(1.0, 0.1),
        )
        shin += shaded(pen, leg, appearance.bottom)
    foot = _shoe(pen, ankle=ankle, heel=heel, toe=toe, girth=girth, colours=(appearance.shoes, appearance.sole))
    return [
        Part((hip[:, 2] + knee[:, 2]) / 2 + 0.04, thigh),
        Part((knee[:, 2] + ankle[:, 2]) / 2 + 0.02, shin),
        Part((heel[:, 2] + toe[:, 2]) / 2 + 0.03, foot),
    ]


def _shoe(
    pen: Pen, *, ankle: Array, heel: Array, toe: Array, girth: float, colours: tuple[Colour, Colour]
) -> list[Shape]:
    """A shoe that points where the foot points, with its sole below."""
    foot = tube(pen, heel, toe, radii=_scaled((0.042, 0.044, 0.044, 0.032), girth))
    collar = tube(pen, ankle, heel + 0.4 * (toe - heel), radii=_scaled((0.04, 0.044), girth))
    below = np.sign(foot.across[:, 2, 1])
    sole = band(foot, colours[1], low=np.where(below > 0, 0.5, -1.0), high=np.where(below > 0, 1.0, -0.5))
    return shaded(pen, collar, colours[0]) + shaded(pen, foot, colours[0]) + [sole]


def _skirt(pen: Pen, points: dict[str, Array], *, girth: float, appearance: Appearance) -> Part:
    """A skirt from the waist to above the knees, as wide as the legs stand apart."""
    start = points["pelvis"] + 0.4 * (points["waist"] - points["pelvis"])
    hips = (points["left_hip"] + points["right_hip"]) / 2
    knees = (points["left_knee"] + points["right_knee"]) / 2
    hem = hips + 0.8 * (knees - hips)
    cone = tube(pen, start, hem, radii=_scaled((0.13, 0.17, 0.185), girth, appearance.loose), ends=(0.1, 0.12))
    axis = cone.centers[:, -1] - cone.centers[:, 0]
    normal = np.stack([-axis[:, 1], axis[:, 0]], axis=1) / np.maximum(np.linalg.norm(axis, axis=1), 1)[:, None]
    apart = pen.camera.project(points["left_knee"]) - pen.camera.project(points["right_knee"])
    spread = 0.4 * np.abs(np.sum(apart * normal, axis=1))
    width = np.linalg.norm(cone.across, axis=-1, keepdims=True)
    grown = np.maximum(width, spread[:, None, None] * np.linspace(0, 1, 5)[:, None] + 0.6 * width)
    cone = Tube(cone.centers, cone.across / np.maximum(width, 1e-6) * grown, cone.along)
    hem_band = band(stretch(cone, 0.88, 0.97), shade(appearance.bottom, 0.7))
    depth = np.minimum(points["left_knee"][:, 2], points["right_knee"][:, 2])
    depth = np.minimum((depth + hips[:, 2]) / 2, hips[:, 2]) - 0.02
    return Part(depth, [*shaded(pen, cone, appearance.bottom), hem_band])


def _neck(pen: Pen, points: dict[str, Array], *, girth: float, skin: Colour) -> Part:
    start = points["neck"] - 0.2 * (points["head"] - points["neck"])
    neck = tube(
        pen, start, points["head"], radii=_scaled((0.056, 0.052, 0.05), girth), part=(0.0, 0.5), ends=(0.3, 0.3)
    )
    return Part(points["head"][:, 2] + 0.06, shaded(pen, neck, shade(skin, 0.85)))
