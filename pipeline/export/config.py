"""How near to PyTorch an exported network must be."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportConfig:
    """How an exported network is compared with PyTorch's (section `export`)."""

    clips: int
    """Clips on which both are run."""
    seed: int
    """Of the drawn ones."""
    max_heatmap_difference: float
    """Beyond it the file is refused."""
    max_keypoint_distance: float
    """Beyond it the file is refused; in pixels of the crop."""

    def __post_init__(self) -> None:
        """Refuse what compares nothing or lets nothing pass."""
        if self.clips < 1:
            raise ValueError(f"clips: got {self.clips}, wanted at least 1")
        if self.seed < 0:
            raise ValueError(f"seed: got {self.seed}, wanted at least 0")
        for name in ("max_heatmap_difference", "max_keypoint_distance"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}: got {getattr(self, name)}, wanted at least 0")
