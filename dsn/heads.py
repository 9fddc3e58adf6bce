"""Heads: token grids to heatmaps."""

import math
from functools import partial
from itertools import pairwise
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from dsn.config import ModelConfig
from dsn.grid import to_grid
from dsn.parts import HeadConfig


class HeatmapHead(nn.Module):
    """Deconvolutions from the token grid to the heatmaps' stride, then a kernel for each joint (Xiao et al., 2018)."""

    def __init__(
        self, config: HeadConfig, *, grid_width: int, joints: int, grid_size: tuple[int, int], factor: int
    ) -> None:
        """Double the grid as often as it takes to make it `factor` times as fine."""
        super().__init__()
        self.grid_size, width = grid_size, config.width
        widths = [grid_width] + [width] * int(math.log2(factor))
        steps: list[nn.Module] = []
        for before, after in pairwise(widths):
            deconvolution = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False)
            steps += [deconvolution, *_norm(config.norm, after)]
        self.upsample = nn.Sequential(*steps)
        self.kernels = nn.Linear(width, joints)
        nn.init.normal_(self.kernels.weight, std=0.01)

    def forward(
        self, tokens: Float[Tensor, "B N D"], *, change: Float[Tensor, "B K C"] | None = None
    ) -> Float[Tensor, "B K h w"]:
        """Heatmaps by each joint's kernel; `change` is added to the kernels, clip by clip."""
        features: Tensor = self.upsample(to_grid(tokens, size=self.grid_size))
        kernels = self.kernels.weight if change is None else self.kernels.weight + change
        heatmaps = kernels @ features.flatten(2) + self.kernels.bias[:, None]
        return heatmaps.reshape(*heatmaps.shape[:2], *features.shape[2:])


def _norm(kind: Literal["group", "batch"], width: int) -> tuple[nn.Module, nn.Module]:
    """What stands behind a deconvolution: a norm, and its activation."""
    return (nn.GroupNorm(8, width), nn.GELU()) if kind == "group" else (nn.BatchNorm2d(width), nn.ReLU())


def build_head(config: ModelConfig, *, joints: int) -> HeatmapHead:
    """A head from the backbone's grid to the heatmaps of a config."""
    return HeatmapHead(
        config.head,
        grid_width=config.backbone.width,
        joints=joints,
        grid_size=config.grid_size(config.backbone.stride),
        factor=config.backbone.stride // config.heatmap.stride,
    )


class Heads(nn.ModuleDict):
    """The heads of a network, each under the name of the last readout that it reads."""

    def __init__(self, config: ModelConfig, *, joints: int) -> None:
        super().__init__()
        self.names = _names(config)
        self._new = partial(build_head, config, joints=joints)

    def build(self, *readouts: str) -> None:
        """Build what these readouts need and is not there yet."""
        for name in (self.names[readout] for readout in readouts if readout in self.names):
            if name not in self:
                self[name] = self._new()

    def of(self, readout: str) -> HeatmapHead | None:
        """Who reads a readout; None where the network has no such readout."""
        head = self[self.names[readout]] if readout in self.names else None
        assert head is None or isinstance(head, HeatmapHead)
        return head

    def read(
        self, readout: str, tokens: Float[Tensor, "B N D"], *, change: Float[Tensor, "B K C"] | None = None
    ) -> Float[Tensor, "B K h w"] | None:
        """Its heatmaps."""
        head = self.of(readout)
        return None if head is None else head(tokens, change=change)


def _names(config: ModelConfig) -> dict[str, str]:
    """By readout that a head reads, the name of that head."""
    has = {
        "dense": config.has_temporal and config.temporal.dense_readout,
        "keypoint": config.has_temporal and config.temporal.keypoint_tokens,
        "visual": config.has_visual,
        "final": config.fuses_features,
    }
    shared = {"none": (), "visual": ("visual",), "all": tuple(has)}[config.head.sharing]
    return {readout: "final" if readout in shared else readout for readout, there in has.items() if there}
