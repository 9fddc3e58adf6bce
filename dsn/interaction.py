"""Interaction: what the streams tell each other before they are fused, after their own readouts were taken."""

from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from dsn.attention import CrossBlock
from dsn.config import ModelConfig


class Interaction(nn.Module):
    """Features of one stream attend to those of the other, or both to both at once; it starts as silence."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, mode = config.backbone.width, config.interaction.mode
        heads, mlp_ratio = config.visual.heads, config.visual.mlp_ratio
        listen = partial(CrossBlock, width, context_width=width, heads=heads, mlp_ratio=mlp_ratio)
        self.to_visual = listen() if mode in ("to_visual", "mutual") else Deaf()
        self.to_temporal = listen() if mode in ("to_temporal", "mutual") else Deaf()

    def forward(
        self, visual: Float[Tensor, "B N C"], temporal: Float[Tensor, "B N C"]
    ) -> tuple[Float[Tensor, "B N C"], Float[Tensor, "B N C"]]:
        """Both streams' features, visual ones first, as the other left them."""
        return self.to_visual(visual, temporal), self.to_temporal(temporal, visual)


class Deaf(nn.Module):
    """Features that are told nothing."""

    def forward(self, features: Float[Tensor, "B N C"], _: Float[Tensor, "B N C"]) -> Float[Tensor, "B N C"]:
        """The features."""
        return features
