"""Losses: how far each readout is from the keyframe's truth."""

from dataclasses import dataclass, fields

from jaxtyping import Bool, Float
from torch import Tensor

from dsn.readouts import Readouts, Reconstruction


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

    def __post_init__(self) -> None:
        """Refuse negative weights, and a loss of nothing."""
        weights = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, weight in weights.items():
            if weight < 0:
                raise ValueError(f"{name}: got {weight}, wanted 0 or more")
        if not any(weights[name] for name in ("final", "keypoint", "dense", "visual")):
            raise ValueError(
                "final, keypoint, dense, visual: got 0 for each, wanted at least one readout to be trained"
            )


def losses(
    readouts: Readouts,
    targets: Float[Tensor, "B K h w"],
    *,
    supervised: Bool[Tensor, "B K"],
    config: LossConfig,
) -> dict[str, Float[Tensor, ""]]:
    """The weighted terms by name; the loss is their sum.

    `targets` and `supervised` come from `dsn.codec.encode`. A readout that the network lacks, or of weight 0, has no
    term: a single-frame network has only `final`.
    """
    maps = {"final": readouts.final, "keypoint": readouts.keypoint, "dense": readouts.dense, "visual": readouts.visual}
    terms: dict[str, Tensor] = {}
    for name, heatmaps in maps.items():
        weight: float = getattr(config, name)
        if heatmaps is not None and weight > 0:
            views = heatmaps if name == "dense" else heatmaps[:, None]
            terms[name] = weight * heatmap_error(views, targets, supervised=supervised)
    rebuilt = {"reconstruction": readouts.reconstruction, "masked": readouts.masked}
    for name, reconstruction in rebuilt.items():
        weight = getattr(config, name)
        if reconstruction is not None and weight > 0:
            terms[name] = weight * reconstruction_error(reconstruction)
    return terms


def heatmap_error(
    heatmaps: Float[Tensor, "B S K h w"], targets: Float[Tensor, "B K h w"], *, supervised: Bool[Tensor, "B K"]
) -> Float[Tensor, ""]:
    """Squared error averaged over cells, over S views of the same keyframe, and over the supervised joints alone.

    0, with a gradient of 0, where no joint is supervised.
    """
    errors = (heatmaps - targets[:, None]).square().mean(dim=(1, 3, 4))
    return (errors * supervised).sum() / supervised.sum().clamp(min=1)


def reconstruction_error(reconstruction: Reconstruction) -> Float[Tensor, ""]:
    """Squared error averaged over a patch's numbers, and over the patches that were hidden."""
    errors = (reconstruction.guess - reconstruction.truth).square().mean(dim=-1)
    return (errors * reconstruction.counted).sum() / reconstruction.counted.sum().clamp(min=1)
