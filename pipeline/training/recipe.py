"""What a run trains, and how: plain values, which a driver can hold without importing a network."""

from dataclasses import dataclass

from dsn.config import ModelConfig
from dsn.loss import LossConfig
from dsn.skeleton import Skeleton
from pipeline.training.config import TrainConfig
from pipeline.training.yardstick import Yardstick

Row = dict[str, float]
"""A line of numbers about a run: `step`, and what was measured there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is trained, and how."""

    model: ModelConfig
    loss: LossConfig
    train: TrainConfig
    skeleton: Skeleton
    yardstick: Yardstick
    """What the score on select is measured by."""
