"""What the stress test tries."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.evaluation.degrade import Target
from pipeline.evaluation.kinds import WORST, Kind
from pipeline.evaluation.verdict import SEVERE


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamConfig:
    """A network on disk."""

    folder: Path
    """Relative to the project's root, or absolute."""
    sha256: str
    """Digest of its network.safetensors: other weights are another param, so stages run again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StressConfig:
    """Which degradations are tried, and how (section `stress`)."""

    kinds: tuple[Kind, ...]
    """What is done to frames."""
    severities: tuple[int, ...]
    """How badly, from 1 to 5; clean clips are scored as well."""
    targets: tuple[Target, ...]
    """To which frames: the claim is about `keyframe`, which is among them."""
    strides: tuple[int, ...]
    """By how much supporting frames are farther away than in training; 1 is among them."""
    single_stream: StreamConfig | None
    """A network to compare with that sees all frames in one stream and was trained with keyframe dropout; null
    goes without this control, and `controls_missing` in metrics.json names it."""
    seed: int
    """Decides the degraded pixels, the examples, the draws of videos and, with `max_samples`, who is evaluated."""
    batch_size: int
    """Clips in one forward pass."""
    device: str
    """Where the networks compute: `cpu`, `cuda` or `cuda:N`."""
    max_samples: int | None
    """The largest number of people evaluated; null evaluates all."""
    draws: int
    """Draws of videos behind the intervals."""
    examples: int
    """Clips shown in the report."""

    def __post_init__(self) -> None:
        """Refuse what tests nothing."""
        _refuse_repeats("kinds", self.kinds, among=None)
        _refuse_repeats("targets", self.targets, among="keyframe")
        _refuse_repeats("strides", self.strides, among=1)
        ordered = sorted({severity for severity in self.severities if 1 <= severity <= WORST})
        if list(self.severities) != ordered or not ordered or ordered[-1] < SEVERE:
            wanted = f"ascending numbers from 1 to {WORST}, one of them at least {SEVERE}"
            raise ValueError(f"severities: got {list(self.severities)}, wanted {wanted}")
        for name, value, least in (
            ("strides", min(self.strides), 1),
            ("batch_size", self.batch_size, 1),
            ("draws", self.draws, 1),
            ("examples", self.examples, 0),
        ):
            if value < least:
                raise ValueError(f"{name}: got {value}, wanted at least {least}")
        if self.max_samples is not None and self.max_samples < 1:
            raise ValueError(f"max_samples: got {self.max_samples}, wanted at least 1 or null")


def _refuse_repeats(name: str, got: Sequence[object], *, among: object) -> None:
    """Refuse a list that is empty, names something twice, or lacks `among` if that is anything."""
    if not got or len(set(got)) < len(got) or (among is not None and among not in got):
        wanted = "at least one" if among is None else f"{among} among them"
        raise ValueError(f"{name}: got {list(got)}, wanted {wanted} and none twice")
