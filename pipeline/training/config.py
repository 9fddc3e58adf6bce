"""What one run of the training loop needs to know."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """The recipe of one run (sections `pretrain` and `train`)."""

    seed: int
    """Decides initial weights, the order of samples and every random draw."""
    steps: int
    """Optimiser steps."""
    batch_size: int
    """Samples in one optimiser step, over all workers together."""
    learning_rate: float
    """Peak rate of AdamW for new modules."""
    backbone_rate: float
    """The backbone's rate, as a share of `learning_rate`; at 0 the backbone is frozen, its BatchNorm included."""
    weight_decay: float
    """AdamW's decoupled weight decay; biases and norms have none."""
    warmup_steps: int
    """Steps over which the rate rises linearly from zero."""
    decay: Literal["cosine", "none"]
    """How the rate goes on after the warm-up: to zero by a half cosine, or level."""
    clip_norm: float
    """Largest global norm of the gradient."""
    ema_decay: float
    """Decay of the exponential moving average of the weights, which is what is evaluated and kept."""
    precision: Literal["fp32", "bf16"]
    """Arithmetic of the forward pass."""
    gradient_shares: bool
    """Whether a line of progress tells each loss term's share of the gradient; costs a backward pass a term."""
    log_every: int
    """Steps between two lines of progress."""
    evaluate_every: int
    """Steps between two evaluations on the select split, each followed by a checkpoint; a multiple of `log_every`."""
    checkpoint_every: int
    """Steps between two checkpoints: what an interruption costs at most."""

    def __post_init__(self) -> None:
        """Refuse numbers that train nothing."""
        for name in ("steps", "batch_size", "log_every", "evaluate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: got {getattr(self, name)}, wanted at least 1")
        if self.evaluate_every % self.log_every:
            raise ValueError(
                f"evaluate_every: got {self.evaluate_every}, wanted a multiple of log_every = {self.log_every}"
            )
        if not 0 < self.learning_rate < 1:
            raise ValueError(f"learning_rate: got {self.learning_rate}, wanted more than 0 and less than 1")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay: got {self.ema_decay}, wanted at least 0 and less than 1")
        if not 0 <= self.warmup_steps <= self.steps:
            raise ValueError(f"warmup_steps: got {self.warmup_steps}, wanted 0 to steps = {self.steps}")
