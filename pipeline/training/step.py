"""What a step is made of: passes forward and back."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from dsn.codec import encode
from dsn.config import ModelConfig
from dsn.loss import LossConfig, losses
from dsn.pixels import normalize, split_clip
from dsn.readouts import Readouts


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

    @property
    def is_spoilt(self) -> Bool[Tensor, " B"]:
        """Whose keyframe is not to be reconstructed, because something was drawn over it."""


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
    return losses(readouts, targets, supervised=supervised, is_spoilt=batch.is_spoilt.to(device), config=loss)


def arithmetic(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """The context of the forward pass."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def apart(network: nn.Module, *, is_last: bool) -> AbstractContextManager[Any]:
    """The context of one of several passes: ranks exchange gradients in the last one alone."""
    return nullcontext() if is_last or not isinstance(network, DistributedDataParallel) else network.no_sync()
