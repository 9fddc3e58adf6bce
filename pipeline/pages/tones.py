"""Colours of the pages, on light and on dark paper and over pictures."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tone:
    """A colour by where it stands; `variable` is the CSS custom property that holds it."""

    name: str
    light: str
    """On the light page, as #rrggbb."""
    dark: str
    """On the dark page."""
    picture: str
    """Over a picture, on either page."""

    @property
    def variable(self) -> str:
        """Such as `var(--single-frame)`."""
        return f"var(--{self.name})"


INK = Tone(name="ink", light="#1c2127", dark="#e9e6e0", picture="#ffffff")
MUTED = Tone(name="muted", light="#5c636b", dark="#a4abb3", picture="#e9e9e9")
LINE = Tone(name="line", light="#dcd9d1", dark="#353b43", picture="#9aa0a6")
MIDDLE = Tone(name="middle", light="#5c636b", dark="#e9e6e0", picture="#ffffff")
LEFT = Tone(name="left", light="#1f5fa8", dark="#6fb2f3", picture="#5ec2ff")
RIGHT = Tone(name="right", light="#c2571a", dark="#f0934e", picture="#ff9d45")
PLAIN = (INK, MUTED, LINE)
"""What every page needs."""
SIDES = {"left": LEFT, "right": RIGHT, "middle": MIDDLE}
"""What belongs to a person's left, right and neither."""
