"""What one run of the training loop needs to know."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
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
    micro_batch: int | None
    """Samples that a worker passes through the network at once, so that a large batch fits into a small memory; null:
    its whole share."""
    learning_rate: float
    """Peak rate of AdamW for new modules."""
    backbone_rate: float
    """The backbone's rate, as a share of `learning_rate`; at 0 the backbone is frozen, its BatchNorm included."""
    layer_decay: float
    """Each layer of the backbone has the rate of the layer behind it times this; 1: all have the same."""
    weight_decay: float
    """AdamW's decoupled weight decay; biases and norms have none."""
    warmup_steps: int
    """Steps over which the rate rises linearly from zero."""
    decay: Literal["cosine", "steps", "none"]
    """How the rate goes on after the warm-up: to zero by a half cosine, down in steps, or level."""
    decay_at: tuple[float, ...]
    """Where the steps are, as shares of the run."""
    decay_factor: float
    """What each step multiplies the rate by."""
    clip_norm: float
    """Largest global norm of the gradient."""
    ema_decay: float
    """Decay of the exponential moving average of the weights, which is what is evaluated and kept."""
    precision: Literal["fp32", "bf16"]
    """Arithmetic of the forward pass."""
    deterministic: bool
    """Whether operations whose result may differ from run to run are refused; on GPUs they are a little faster."""
    compile: bool
    """Whether the network is compiled: slow to begin with, and faster steps."""
    max_skipped_share: float
    """The share of steps that may be left out because they are not finite; at 0 the first of them stops the run."""
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
        for name, holds, wanted in self._conditions():
            if not holds:
                raise ValueError(f"{name}: got {getattr(self, name)}, wanted {wanted}")

    def _conditions(self) -> Iterator[tuple[str, bool, str]]:
        """Keys, whether their values can be trained with, and what is wanted of them."""
        for name in ("steps", "batch_size", "log_every", "evaluate_every", "checkpoint_every"):
            yield name, getattr(self, name) >= 1, "at least 1"
        yield "micro_batch", self.micro_batch is None or self.micro_batch >= 1, "at least 1, or null"
        yield "evaluate_every", self.evaluate_every % self.log_every == 0, f"a multiple of log_every = {self.log_every}"
        yield "learning_rate", 0 < self.learning_rate < 1, "more than 0 and less than 1"
        yield "backbone_rate", self.backbone_rate >= 0, "at least 0"
        yield "clip_norm", self.clip_norm > 0, "more than 0"
        yield "layer_decay", 0 < self.layer_decay <= 1, "more than 0 and at most 1"
        yield "ema_decay", 0 <= self.ema_decay < 1, "at least 0 and less than 1"
        yield "warmup_steps", 0 <= self.warmup_steps <= self.steps, f"0 to steps = {self.steps}"
        yield "decay_at", (self.decay == "steps") == bool(self.decay_at), "places for decay: steps, and else none"
        rising = all(low < high for low, high in pairwise((0.0, *self.decay_at, 1.0)))
        yield "decay_at", rising, "rising shares of the run, between 0 and 1"
        yield "decay_factor", 0 < self.decay_factor <= 1, "more than 0 and at most 1"
        yield "max_skipped_share", 0 <= self.max_skipped_share < 1, "at least 0 and less than 1"
