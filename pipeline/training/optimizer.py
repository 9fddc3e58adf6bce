"""Which weights move how fast, and how that changes over a run."""

from typing import Any

import torch
from timm.optim._param_groups import param_groups_layer_decay
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from pipeline.refusal import Refusal
from pipeline.training.config import TrainConfig

BODY = "backbone.body."


def optimizer(network: nn.Module, config: TrainConfig) -> AdamW:
    """AdamW with the backbone at its own rate, and no decay of biases, norms and other vectors.

    With `layer_decay` below 1, timm's groups decide rates and decay within the backbone's body: each layer has the rate
    of the next one times `layer_decay` (Bao et al., 2022).

    Raises:
        Refusal: `layer_decay` is below 1, and timm does not tell the layers of the backbone.
    """
    layered = _by_layer(network, config) if config.layer_decay < 1 else []
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad or (layered and name.startswith(BODY)):
            continue
        share = config.backbone_rate if name.startswith("backbone.") else 1.0
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((share, decay), []).append(parameter)
    flat = [
        {"params": members, "lr": config.learning_rate * share, "weight_decay": decay}
        for (share, decay), members in groups.items()
    ]
    return AdamW([*flat, *layered], fused=True)


def _by_layer(network: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """The groups of the backbone's body."""
    body: Any = network.get_submodule(BODY.rstrip("."))
    layers = body if hasattr(body, "group_matcher") else getattr(body, "model", body)
    if not hasattr(layers, "group_matcher"):
        raise Refusal(
            f"layer_decay: got {config.layer_decay} with a backbone whose layers timm does not tell apart "
            f"({type(body).__name__}); set it to 1, or take a ViT"
        )
    apart = layers.no_weight_decay() if hasattr(layers, "no_weight_decay") else ()
    found = param_groups_layer_decay(
        layers, config.weight_decay, no_weight_decay_list=apart, layer_decay=config.layer_decay
    )
    rate = config.learning_rate * config.backbone_rate
    return [
        {"params": group["params"], "lr": rate * group["lr_scale"], "weight_decay": group["weight_decay"]}
        for group in found
    ]


def schedule(stepper: AdamW, config: TrainConfig) -> LambdaLR:
    """A linear warm-up, then level, down in steps, or down to zero by a half cosine."""

    def share(step: int) -> float:
        if step < config.warmup_steps:
            return (step + 1) / config.warmup_steps
        if config.decay == "none":
            return 1.0
        if config.decay == "steps":
            return config.decay_factor ** sum(step >= part * config.steps for part in config.decay_at)
        done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
        return float(0.5 * (1 + torch.cos(torch.tensor(done * torch.pi)).item()))

    return LambdaLR(stepper, share)
