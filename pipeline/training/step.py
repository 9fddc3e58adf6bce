"""One optimiser step, and what it is made of."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, UInt8
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from dsn.codec import encode
from dsn.config import ModelConfig
from dsn.loss import LossConfig, losses
from dsn.pixels import normalize, split_clip
from dsn.readouts import Readouts
from pipeline.training.config import TrainConfig


@runtime_checkable
class Batch(Protocol):
    """What a step needs of B clips, wherever they come from."""

    @property
    def frames(self) -> UInt8[Tensor, "B T 3 H W"]:
        """RGB crops in order of time."""

    @property
    def keypoints(self) -> Float[Tensor, "B K 2"]:
        """At the keyframe, in input pixels."""

    @property
    def visible(self) -> Bool[Tensor, "B K"]:
        """What is supervised."""


def bare(network: nn.Module) -> nn.Module:
    """The network itself, without the wrapper that synchronises its gradients."""
    return network.module if isinstance(network, DistributedDataParallel) else network


def forward(network: nn.Module, images: Float[Tensor, "B T 3 H W"], *, model: ModelConfig) -> Readouts:
    """The readouts of normalised clips whose frames stand in order of time; one frame alone is the keyframe."""
    if images.shape[1] == 1:
        return network(images[:, 0])  # type: ignore[no-any-return]
    keyframe, supporting = split_clip(images, keyframe_position=model.clip.keyframe_position)
    return network(keyframe, supporting)  # type: ignore[no-any-return]


def batch_losses(network: nn.Module, batch: Batch, *, model: ModelConfig, loss: LossConfig) -> dict[str, Tensor]:
    """Every weighted loss term of one batch."""
    device = next(network.parameters()).device
    images = normalize(batch.frames.to(device))
    targets, supervised = encode(
        batch.keypoints.to(device),
        batch.visible.to(device),
        input_size=model.input_size,
        config=model.heatmap,
    )
    readouts = forward(network, images, model=model)
    return losses(readouts, targets, supervised=supervised, config=loss)


def optimizer(network: nn.Module, config: TrainConfig) -> AdamW:
    """AdamW with the backbone at its own rate, and no decay of biases, norms and other vectors."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        share = config.backbone_rate if name.startswith("backbone.") else 1.0
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((share, decay), []).append(parameter)
    return AdamW(
        [
            {"params": members, "lr": config.learning_rate * share, "weight_decay": decay}
            for (share, decay), members in groups.items()
        ],
        fused=True,
    )


def schedule(stepper: AdamW, config: TrainConfig) -> LambdaLR:
    """A linear warm-up, then level or down to zero by a half cosine."""

    def share(step: int) -> float:
        if step < config.warmup_steps:
            return (step + 1) / config.warmup_steps
        if config.decay == "none":
            return 1.0
        done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
        return float(0.5 * (1 + torch.cos(torch.tensor(done * torch.pi)).item()))

    return LambdaLR(stepper, share)


def advance(
    network: nn.Module,
    terms: Iterable[Tensor],
    *,
    stepper: AdamW,
    rates: LambdaLR,
    average: ModelEmaV3,
    clip_norm: float,
) -> Float[Tensor, ""]:
    """Go one step down the gradient of the sum of `terms`; returns the gradient's norm before clipping."""
    total = torch.stack(list(terms)).sum()
    stepper.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
    stepper.step()
    rates.step()
    average.update(bare(network))
    return norm
