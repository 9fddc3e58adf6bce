"""What the report shows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportConfig:
    """How much of everything is on the page (section `report`)."""

    best: int
    """Clips shown from the top of the order by OKS of the final readout."""
    median: int
    """Clips shown from its middle."""
    worst: int
    """Clips shown from its bottom."""
    min_joints: int
    """Labelled joints that a person needs to be shown, all where the skeleton scores fewer: with two or three, a high
    OKS says little."""
    examples: int
    """Degraded keyframes shown, most severe first within a kind, the kinds in turn."""
    trials: int
    """Rows of the table of tuning trials, best first."""

    def __post_init__(self) -> None:
        """Refuse counts that are none."""
        for key in ("best", "median", "worst", "examples", "trials"):
            if getattr(self, key) < 0:
                raise ValueError(f"{key}: got {getattr(self, key)}, wanted 0 or more")
        if self.min_joints < 1:
            raise ValueError(f"min_joints: got {self.min_joints}, wanted at least 1")
