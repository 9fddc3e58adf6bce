"""How a backdrop is seen."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StillView:
    """The still camera that sees a backdrop."""

    size: tuple[int, int]
    """Height and width in pixels."""
    horizon: float
    """Row of the horizon."""
    middle: float
    """Column that the camera looks at."""
    focal: float
    """Focal length in pixels."""
    height: float
    """Metres of the camera above the ground."""

    def row(self, distance: float) -> int:
        """The row where the ground is this many metres away."""
        return round(self.horizon + self.focal * self.height / distance)

    def metres(self, distance: float) -> float:
        """Pixels a metre at this distance."""
        return self.focal / distance
