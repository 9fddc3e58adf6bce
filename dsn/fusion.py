"""Fusion: both streams' features as one."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dsn.attention import zero


class ConcatFusion(nn.Module):
    """An MLP of both streams' features at each place, added to the visual features; what is added starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.LayerNorm(2 * width), nn.Linear(2 * width, width), nn.GELU(), zero(nn.Linear(width, width))
        )

    def forward(self, visual: Float[Tensor, "B N C"], *, temporal: Float[Tensor, "B N C"]) -> Float[Tensor, "B N C"]:
        """Features for the final head."""
        fused: Tensor = visual + self.mlp(torch.cat([temporal, visual], dim=-1))
        return fused
