"""What the ablation compares, and on which scale."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationConfig:
    """The section `ablate` of the ablation's own params file."""

    presets: tuple[str, ...]
    """Network presets, in the order of the table's lines; the single-frame network is always there."""
    seeds: tuple[int, ...]
    """Of the cells of each preset."""
    params: dict[str, dict[str, Any]]
    """By section, what is laid over the project's params.yaml for every cell."""

    def __post_init__(self) -> None:
        """Refuse what compares nothing."""
        for name, got in (("presets", self.presets), ("seeds", self.seeds)):
            if not got or len(set(got)) < len(got):
                raise ValueError(f"{name}: got {list(got)}, wanted at least one and none twice")
