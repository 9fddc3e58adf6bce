"""What is searched, and for how long."""

from dataclasses import dataclass

SECTIONS = ("loss", "train")
"""Sections of params.yaml whose keys can be searched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A range of numbers."""

    low: float
    high: float
    log: bool
    """Whether orders of magnitude are equally likely, rather than values."""

    def __post_init__(self) -> None:
        """Refuse an empty range, and logarithms of what has none."""
        if self.high <= self.low:
            raise ValueError(f"range: got {self.low} to {self.high}, wanted low below high")
        if self.log and self.low <= 0:
            raise ValueError(f"range: got low {self.low} on a logarithmic scale, wanted more than 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A list of values."""

    values: tuple[float | int | str | bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneConfig:
    """The search (section `tune`)."""

    trials: int
    """Parameter sets tried; 0 passes params.yaml through, and then the space must be empty."""
    seed: int
    """Seed of the proposals."""
    steps: int
    """Optimiser steps of a whole trial."""
    report_every: int
    """Steps between two scores, at each of which a lagging trial can be stopped."""
    grace_steps: int
    """Steps before a trial can be stopped."""
    cpus_per_trial: float
    """CPUs that Ray sets aside for a trial; as many run at once as the cluster has room for."""
    gpus_per_trial: float
    """GPUs for a trial."""
    space: dict[str, Range | Choice]
    """What is searched, by section and key, such as `train.learning_rate`; these keys do not stand in their section."""

    def __post_init__(self) -> None:
        """Refuse a search that would find nothing, or of what cannot be searched."""
        if self.trials < 0:
            raise ValueError(f"trials: got {self.trials}, wanted 0 or more")
        if (self.trials == 0) != (not self.space):
            raise ValueError(f"got {self.trials} trials of a space with {len(self.space)} keys, wanted both or neither")
        for name in self.space:
            if name.partition(".")[0] not in SECTIONS or name.count(".") != 1:
                raise ValueError(
                    f"space: got `{name}`, wanted a key of {' or '.join(SECTIONS)}, as in train.learning_rate"
                )
        if not 0 < self.grace_steps <= self.steps:
            raise ValueError(f"grace_steps: got {self.grace_steps}, wanted 1 to steps = {self.steps}")


def first_values(config: TuneConfig) -> dict[str, dict[str, object]]:
    """A value of each searched key, by section: the lowest of a range, the first of a choice."""
    return nested(
        {key: value.low if isinstance(value, Range) else value.values[0] for key, value in config.space.items()}
    )


def nested(flat: dict[str, object]) -> dict[str, dict[str, object]]:
    """`{"train.learning_rate": 1}` as `{"train": {"learning_rate": 1}}`."""
    sections: dict[str, dict[str, object]] = {}
    for name, value in flat.items():
        section, _, key = name.partition(".")
        sections.setdefault(section, {})[key] = value
    return sections
