"""What people look like: drawn at random for each person, the same for the left and the right side."""

import colorsys
from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int]
"""Blue, green, red; 0 to 255."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """One person's looks. Nothing in it belongs to one side of the body or to one joint."""

    skin: Colour
    hair: Colour
    haircut: str
    """bald, short, full, long, bun, cap or hood."""
    beard: bool
    glasses: bool
    top: Colour
    pattern: str
    """plain, hoops, stripes, checks or dots."""
    pattern_colour: Colour
    pattern_count: int
    """How often the pattern repeats along the trunk."""
    sleeve: float
    """How far down the arm the sleeve reaches: 0 none, 1 the elbow, 2 the wrist."""
    front: str
    """On the chest: nothing, emblem, zip, vest or tie."""
    back: str
    """On the back: nothing, bar or backpack."""
    bottom: Colour
    trousers: float
    """How far down the leg the trousers reach: 1 the knee, 2 the ankle."""
    skirt: bool
    socks: Colour
    shoes: Colour
    sole: Colour
    accent: Colour
    """Of the emblem, zip, vest, tie, backpack or cap."""
    loose: float
    """Cloth around the body, in metres."""


SKINS: tuple[Colour, ...] = (
    (200, 220, 246),
    (160, 190, 232),
    (122, 158, 208),
    (88, 124, 180),
    (62, 92, 142),
    (42, 62, 98),
)
HAIRS: tuple[Colour, ...] = (
    (24, 22, 24), (28, 32, 44), (36, 52, 78), (70, 112, 156), (140, 184, 218), (44, 70, 130), (160, 160, 166),
)  # fmt: skip


def draw_appearance(seed: int, number: int) -> Appearance:
    """The looks of person `number` in the dataset of this seed: no two numbers share them."""
    rng = np.random.default_rng([seed, 7, number])
    top, bottom = _cloth(rng), _cloth(rng)
    sleeve = float(rng.choice([0.0, 0.55, 0.7, 1.95], p=[0.12, 0.28, 0.25, 0.35]))
    skirt = bool(rng.random() < 0.14)
    return Appearance(
        skin=_between(SKINS, rng),
        hair=_between(HAIRS, rng) if rng.random() < 0.93 else _cloth(rng),
        haircut=_choose(rng, bald=0.08, short=0.27, full=0.17, long=0.18, bun=0.1, cap=0.13, hood=0.07),
        beard=bool(rng.random() < 0.16),
        glasses=bool(rng.random() < 0.15),
        top=top,
        pattern=_choose(rng, plain=0.42, hoops=0.22, stripes=0.14, checks=0.1, dots=0.12),
        pattern_colour=_apart(top, rng),
        pattern_count=int(rng.integers(4, 9)),
        sleeve=sleeve,
        front=_choose(rng, nothing=0.25, emblem=0.3, zip=0.2, vest=0.13, tie=0.12),
        back=_choose(rng, nothing=0.5, bar=0.28, backpack=0.22),
        bottom=bottom,
        trousers=0.7 if skirt else float(rng.choice([0.75, 0.95, 1.95], p=[0.15, 0.2, 0.65])),
        skirt=skirt,
        socks=_cloth(rng) if rng.random() < 0.5 else (235, 235, 235),
        shoes=_cloth(rng),
        sole=(225, 228, 230) if rng.random() < 0.6 else (45, 45, 50),
        accent=_apart(top, rng),
        loose=float(rng.uniform(0.004, 0.022)),
    )


def shade(colour: Colour, factor: float) -> Colour:
    """A colour made darker (factor below 1) or lighter."""
    blue, green, red = (min(255, max(0, round(channel * factor))) for channel in colour)
    return blue, green, red


def _choose(rng: np.random.Generator, **chances: float) -> str:
    """One of the names, each with its chance."""
    return str(rng.choice(list(chances), p=list(chances.values())))


def _cloth(rng: np.random.Generator) -> Colour:
    """A colour of cloth: any hue, and often a grey, navy or earthy one."""
    hue, kind = rng.random(), rng.random()
    if kind < 0.25:
        saturation, value = rng.uniform(0, 0.12), rng.uniform(0.13, 0.95)
    elif kind < 0.5:
        saturation, value = rng.uniform(0.25, 0.6), rng.uniform(0.2, 0.55)
    else:
        saturation, value = rng.uniform(0.45, 0.9), rng.uniform(0.45, 0.95)
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * blue), round(255 * green), round(255 * red)


def _apart(colour: Colour, rng: np.random.Generator) -> Colour:
    """A colour of cloth that stands out from another."""
    drawn = [_cloth(rng) for _ in range(4)]
    return max(drawn, key=lambda other: sum(abs(a - b) for a, b in zip(colour, other, strict=True)))


def _between(palette: tuple[Colour, ...], rng: np.random.Generator) -> Colour:
    """A colour between two neighbours of a palette."""
    index, part = int(rng.integers(len(palette) - 1)), rng.random()
    blue, green, red = (
        round((1 - part) * first + part * second)
        for first, second in zip(palette[index], palette[index + 1], strict=True)
    )
    return blue, green, red
