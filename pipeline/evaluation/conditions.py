"""What is done to the clips of the stress test: every degradation at every stride."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.evaluation.degrade import Degradation, Target, is_all_or_nothing
from pipeline.evaluation.kinds import WORST, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One state of the clips. Conditions that do the same are equal, see `Grid.condition`."""

    stride: int
    """How many frames lie between a clip's frames, by those in training."""
    degradation: Degradation | None = None
    """None leaves the clips as they were filmed."""

    @property
    def clean(self) -> "Condition":
        """The same stride without a degradation."""
        return Condition(stride=self.stride)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Which conditions there are."""

    kinds: tuple[Kind, ...]
    severities: tuple[int, ...]
    targets: tuple[Target, ...]
    strides: tuple[int, ...]
    seed: int

    def condition(self, kind: Kind, severity: int, *, target: Target, stride: int) -> Condition:
        """The condition of these; every severity above 0 of an all-or-nothing kind is the same."""
        if severity == 0:
            return Condition(stride=stride)
        told_apart = WORST if is_all_or_nothing(kind) else severity
        how = Degradation(kind=kind, severity=told_apart, seed=self.seed, target=target)
        return Condition(stride=stride, degradation=how)

    def conditions(self, stride: int) -> list[Condition]:
        """Those at one stride, each once; the first is clean."""
        cells = (cell for cell in self.cells() if cell.stride == stride)
        found = [self.condition(cell.kind, cell.severity, target=cell.target, stride=stride) for cell in cells]
        return list(dict.fromkeys([Condition(stride=stride), *found]))

    def cells(self) -> Iterator["Cell"]:
        """Everything that a curve goes through, severity 0 among it."""
        for stride in self.strides:
            for target in self.targets:
                for kind in self.kinds:
                    for severity in (0, *self.severities):
                        yield Cell(stride=stride, target=target, kind=kind, severity=severity)

    def digest(self, *, max_samples: int | None, data: str) -> str:
        """What a retention was measured under, in 32 hexadecimal digits; others do not compare with it.

        The order of kinds, targets and strides changes no clip, and how many draws, examples or clips at once changes
        no retention.

        Args:
            max_samples: the largest number of people, drawn by the grid's seed; None for all.
            data: the hash of the split.
        """
        settings = {
            "kinds": sorted(self.kinds),
            "severities": list(self.severities),
            "targets": sorted(self.targets),
            "strides": sorted(self.strides),
            "seed": self.seed,
            "max_samples": max_samples,
            "data": data,
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A point of a curve: what was asked for, where a condition is what was done."""

    stride: int
    target: Target
    kind: Kind
    severity: int
