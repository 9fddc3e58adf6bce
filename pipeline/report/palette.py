"""One colour, name and line for each method, the same in every figure, table and picture."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.pages.tones import Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How a readout, a control or the truth appears."""

    name: str
    """As in the stages' tables."""
    label: str
    tone: Tone
    marker: str
    """A marker of matplotlib, so that colour is not the only difference."""
    dash: tuple[int, ...]
    """Lengths of strokes and gaps; empty is a solid line. Controls are dashed."""

    @property
    def is_control(self) -> bool:
        """Whether it is something that the network is compared with."""
        return bool(self.dash)


KNOWN = (
    ("truth", "ground truth", ("#1c2128", "#e9e6e1", "#ffffff"), "o", ()),
    ("final", "final", ("#1f5fa8", "#6fb2f3", "#5ec2ff"), "o", ()),
    ("temporal", "temporal", ("#c2571a", "#f0934e", "#ff9d45"), "s", ()),
    ("visual", "visual", ("#17806d", "#4cc3ab", "#5ce6be"), "^", ()),
    ("keypoint", "keypoint tokens", ("#8c3b2e", "#e08475", "#ff8f7d"), "v", ()),
    ("dense", "dense", ("#5f7d1c", "#a5c65a", "#c8f26b"), "P", ()),
    ("single_frame", "single frame", ("#75559f", "#b89ce6", "#d2adff"), "D", (4, 2)),
    ("interpolation", "interpolation", ("#937311", "#d8b64a", "#ffe26a"), "X", (4, 2)),
    ("copy", "copy of t-1", ("#ad4069", "#ea8bb0", "#ff9cc6"), "v", (2, 2)),
    ("mean_heatmaps", "mean heatmaps", ("#3b7f97", "#79c0d8", "#8fe1ff"), "p", (2, 2)),
    ("cut", "temporal stream cut", ("#a3542f", "#dd9873", "#ffb38a"), "<", (4, 2)),
    ("still", "keyframe repeated", ("#50734c", "#97be92", "#b5f0ae"), ">", (4, 2)),
    ("shuffled", "frames shuffled", ("#6a6a9e", "#a9a9de", "#c3c3ff"), "h", (4, 2)),
    ("single_stream", "single stream", ("#8f5a7f", "#cf9ac0", "#f4b8e2"), "d", (4, 2)),
    ("mean_pose", "mean pose", ("#7b8188", "#989fa7", "#d3d7da"), ".", (1, 2)),
)
"""Name, label, colours (light, dark, over pictures), marker, dash."""

SPARE = (
    ("#77683d", "#b9aa7b", "#e3d193"),
    ("#4f6f86", "#93b5cd", "#b0d8f4"),
    ("#8a4a5e", "#cc8ea1", "#efb4c5"),
)
"""Colours of methods that are not known here, in the order of their names."""


def methods(names: Iterable[str]) -> dict[str, Method]:
    """Every known method, and one for each further name, in the order in which they are always shown."""
    shown = {
        name: _method(name, label=label, colours=colours, marker=marker, dash=dash)
        for name, label, colours, marker, dash in KNOWN
    }
    for index, name in enumerate(sorted(set(names) - set(shown))):
        colours = SPARE[index % len(SPARE)]
        shown[name] = _method(name, label=name.replace("_", " "), colours=colours, marker="p", dash=(4, 2))
    return shown


def in_order(names: Iterable[str], known: Mapping[str, Method]) -> list[str]:
    """Some methods' names in the order in which they are always shown."""
    return sorted(names, key=list(known).index)


def _method(name: str, *, label: str, colours: tuple[str, str, str], marker: str, dash: tuple[int, ...]) -> Method:
    light, dark, picture = colours
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return Method(
        name=name,
        label=label,
        tone=Tone(name=f"method-{slug}", light=light, dark=dark, picture=picture),
        marker=marker,
        dash=dash,
    )
