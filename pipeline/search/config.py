"""What is searched, and for how long."""

from dataclasses import dataclass

from pipeline.cluster import share

SECTIONS = ("loss", "model", "train")
"""Sections of params.yaml whose keys can be searched."""

FIXED = {
    "model.input_size": "the shards hold crops for it",
    "model.clip": "the shards hold the frames of one window",
    "model.backbone": "pretrain/model has one",
    "model.heatmap": "pretrain/model was trained for it",
    "model.head": "pretrain/model has one",
    "train.steps": "a trial has tune.steps",
    "train.log_every": "a trial reports by tune.report_every",
    "train.evaluate_every": "a trial reports by tune.report_every",
    "train.seed": "a good seed is luck, not a setting",
}
"""Keys of those sections that a trial cannot change, and why."""


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

    @property
    def ends(self) -> tuple[float, float]:
        """Values of which both must be possible."""
        return self.low, self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A list of values."""

    values: tuple[float | int | str | bool, ...]

    def __post_init__(self) -> None:
        """Refuse a list that leaves no choice."""
        if len(self.values) < 2:
            raise ValueError(f"values: got {list(self.values)}, wanted at least two to choose from")

    @property
    def ends(self) -> tuple[float | int | str | bool, ...]:
        """Values of which each must be possible."""
        return self.values


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
    """GPUs for a trial: 0, 1, or a part of one that trials share."""
    space: dict[str, Range | Choice]
    """What is searched, by section and key, such as `train.learning_rate` or `model.temporal.blocks`. Keys of `train`
    stand here instead of there. Those of `model` and `loss` stand in both, for pretraining needs them; in what follows
    it, the winner's values go before."""

    def __post_init__(self) -> None:
        """Refuse a search that would find nothing, or of what cannot be searched."""
        if self.trials < 0:
            raise ValueError(f"trials: got {self.trials}, wanted 0 or more")
        if self.cpus_per_trial <= 0:
            raise ValueError(f"cpus_per_trial: got {self.cpus_per_trial:g}, wanted more than 0")
        if not 0 <= self.gpus_per_trial <= 1:
            raise ValueError(f"gpus_per_trial: got {self.gpus_per_trial:g}, wanted 0 to 1, for a trial is one process")
        if (self.trials == 0) != (not self.space):
            raise ValueError(f"got {self.trials} trials of a space with {len(self.space)} keys, wanted both or neither")
        for name in self.space:
            _check_name(name)
        if not 0 < self.grace_steps <= self.steps:
            raise ValueError(f"grace_steps: got {self.grace_steps}, wanted 1 to steps = {self.steps}")

    @property
    def share(self) -> dict[str, float]:
        """What one trial takes, by Ray's names."""
        return share(cpus=self.cpus_per_trial, gpus=self.gpus_per_trial)


def _check_name(name: str) -> None:
    section, _, key = name.partition(".")
    if section not in SECTIONS or not key:
        wanted = f"a key of {', '.join(SECTIONS[:-1])} or {SECTIONS[-1]}, as in train.learning_rate"
        raise ValueError(f"space: got `{name}`, wanted {wanted}")
    for fixed, reason in FIXED.items():
        if name == fixed or name.startswith(f"{fixed}."):
            raise ValueError(
                f"space: got `{name}`, which no trial can change: {reason}; "
                f"compare experiments instead: `dvc exp run -S {name}=...`"
            )


def first_values(config: TuneConfig) -> dict[str, dict[str, object]]:
    """A value of each searched key, by section: the lowest of a range, the first of a choice."""
    return by_section({name: value.ends[0] for name, value in config.space.items()})


def by_section(flat: dict[str, object]) -> dict[str, dict[str, object]]:
    """`{"model.temporal.blocks": 1}` as `{"model": {"temporal.blocks": 1}}`."""
    sections: dict[str, dict[str, object]] = {}
    for name, value in flat.items():
        section, _, key = name.partition(".")
        sections.setdefault(section, {})[key] = value
    return sections
