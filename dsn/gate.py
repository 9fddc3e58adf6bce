"""The gate of reliability-gated fusion: joint by joint, which stream to trust."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

SHARPNESS = 20.0
"""How steeply a place's weight rises with its heatmap: a peak of 0.5 outweighs a grid's thousands of empty places, and
a map without a peak is averaged evenly."""
START = -3.0
"""The gate's first logit: training starts from the fused reading, 0.95 of it."""


class Gate(nn.Module):
    """How far each joint's answer is the temporal stream's, from what both see where either places the joint."""

    def __init__(self, width: int, *, joints: int, grid_size: tuple[int, int]) -> None:
        super().__init__()
        self.grid_size = grid_size
        self.norm = nn.LayerNorm(4 * width)
        self.hidden = nn.Linear(4 * width + 2, width)
        self.joints = nn.Parameter(torch.zeros(joints, width))
        self.bias = nn.Parameter(torch.full((joints,), START))

    def forward(self, features: Float[Tensor, "B N E"], *, maps: Float[Tensor, "B 2 K h w"]) -> Float[Tensor, "B K"]:
        """Shares from 0 to 1; no gradient goes to the heatmaps, which are to show joints, not to please the gate."""
        maps = maps.detach()
        coarse = functional.adaptive_max_pool2d(maps.flatten(0, 1), self.grid_size).reshape(*maps.shape[:3], -1)
        looked = (SHARPNESS * coarse).softmax(dim=-1) @ features[:, None]
        evidence = torch.cat([self.norm(looked.transpose(1, 2).flatten(2)), maps.amax(dim=(3, 4)).mT], dim=-1)
        hidden = functional.gelu(self.hidden(evidence))
        return ((hidden * self.joints).sum(dim=-1) + self.bias).sigmoid()
