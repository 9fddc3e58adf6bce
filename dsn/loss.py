"""Losses: how far each readout is from the keyframe's truth."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dsn.readouts import Readouts, Reconstruction

TERMS = ("final", "keypoint", "dense", "visual", "reconstruction", "masked")
"""The terms of the loss, each with a weight of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """The `loss` section: the weight of each readout's term; a term of weight 0 is not computed."""

    final: float
    """Weight of the final heatmaps' error."""
    keypoint: float
    """Weight of the keypoint readout's error."""
    dense: float
    """Weight of the dense readouts' error, averaged over the supporting frames."""
    visual: float
    """Weight of the visual stream's error."""
    reconstruction: float
    """Weight of the squared error of the keyframe's reconstruction."""
    masked: float
    """Weight of the squared error of hidden supporting tokens' reconstruction."""
    hard_joints: int | None
    """How many joints of each person count in a heatmap's error, the worst ones (Chen et al., 2018); null: all."""

    def __post_init__(self) -> None:
        """Refuse negative weights, and a loss of nothing."""
        weights = {name: getattr(self, name) for name in TERMS}
        if self.hard_joints is not None and self.hard_joints < 1:
            raise ValueError(f"hard_joints: got {self.hard_joints}, wanted at least 1, or null")
        for name, weight in weights.items():
            if weight < 0:
                raise ValueError(f"{name}: got {weight}, wanted 0 or more")
        if not any(weights[name] for name in ("final", "keypoint", "dense", "visual")):
            raise ValueError(
                "final, keypoint, dense, visual: got 0 for each, wanted at least one readout to be trained"
            )


def of_single_frame(config: LossConfig) -> LossConfig:
    """The weights of a single-frame network, which has nothing but the final readout to train."""
    return replace(config, final=config.final or 1.0)


def losses(
    readouts: Readouts,
    targets: Float[Tensor, "B K h w"],
    *,
    supervised: Bool[Tensor, "B K"],
    is_spoilt: Bool[Tensor, " B"] | None = None,
    config: LossConfig,
) -> dict[str, Float[Tensor, ""]]:
    """The weighted terms by name; the loss is their sum.

    `targets` and `supervised` come from `dsn.codec.encode`. A readout that the network lacks, or of weight 0, has no
    term: a single-frame network has only `final`. Where `is_spoilt`, something was drawn over the keyframe that no
    supporting frame tells of, so nobody is to reconstruct it; None: over none.
    """
    maps = {"final": readouts.final, "keypoint": readouts.keypoint, "dense": readouts.dense, "visual": readouts.visual}
    terms: dict[str, Tensor] = {}
    for name, heatmaps in maps.items():
        weight: float = getattr(config, name)
        if heatmaps is not None and weight > 0:
            views = heatmaps if name == "dense" else heatmaps[:, None]
            error = heatmap_error(views, targets, supervised=supervised, hard_joints=config.hard_joints)
            terms[name] = weight * error
    rebuilt = {"reconstruction": _unspoilt(readouts.reconstruction, is_spoilt), "masked": readouts.masked}
    for name, reconstruction in rebuilt.items():
        weight = getattr(config, name)
        if reconstruction is not None and weight > 0:
            terms[name] = weight * reconstruction_error(reconstruction)
    return terms


def _unspoilt(keyframe: Reconstruction | None, is_spoilt: Bool[Tensor, " B"] | None) -> Reconstruction | None:
    """The reconstruction, to be judged where the keyframe is not spoilt."""
    if keyframe is None or is_spoilt is None:
        return keyframe
    return replace(keyframe, counted=keyframe.counted & ~is_spoilt[:, None])


def heatmap_error(
    heatmaps: Float[Tensor, "B S K h w"],
    targets: Float[Tensor, "B K h w"],
    *,
    supervised: Bool[Tensor, "B K"],
    hard_joints: int | None,
) -> Float[Tensor, ""]:
    """Squared error averaged over cells, over S views of the same keyframe, and over the supervised joints alone.

    With `hard_joints`, over that many supervised joints of each person whose error is largest. 0, with a gradient of 0,
    where no joint is supervised.
    """
    errors = (heatmaps - targets[:, None]).square().mean(dim=(1, 3, 4))
    counted = supervised if hard_joints is None else _hardest(errors, supervised, count=hard_joints)
    return (errors * counted).sum() / counted.sum().clamp(min=1)


def _hardest(errors: Float[Tensor, "B K"], supervised: Bool[Tensor, "B K"], *, count: int) -> Bool[Tensor, "B K"]:
    """Which are among each person's `count` supervised joints of the largest error."""
    known = errors.detach().masked_fill(~supervised, -1.0)
    hardest = known.topk(min(count, known.shape[1]), dim=1).indices
    return supervised & torch.zeros_like(supervised).scatter(1, hardest, src=torch.ones_like(supervised))


def gradient_shares(terms: Mapping[str, Float[Tensor, ""]], parameters: Iterable[Tensor]) -> dict[str, float]:
    """Each term's share of the gradient: its gradient's norm over the sum of all terms' norms.

    The graph of the terms stays, so that they can still be descended together. A term that no trained parameter moves
    has a share of 0. Costs one backward pass a term.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    norms = {name: _gradient_norm(term, trained) for name, term in terms.items()}
    total = torch.stack(list(norms.values())).sum().clamp(min=torch.finfo(torch.float32).tiny)
    return {name: (norm / total).item() for name, norm in norms.items()}


def _gradient_norm(term: Float[Tensor, ""], parameters: list[Tensor]) -> Float[Tensor, ""]:
    gradients = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
    norms = [gradient.float().norm() for gradient in gradients if gradient is not None]
    return torch.stack(norms).norm() if norms else term.detach().float() * 0


def reconstruction_error(reconstruction: Reconstruction) -> Float[Tensor, ""]:
    """Squared error averaged over a patch's numbers, and over the patches that count.

    0, with a gradient of 0, where none counts.
    """
    errors = (reconstruction.guess - reconstruction.truth).square().mean(dim=-1)
    return (errors * reconstruction.counted).sum() / reconstruction.counted.sum().clamp(min=1)
