"""Fusion: one answer of the two streams."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dsn.attention import CrossBlock, ZeroLinear
from dsn.config import ModelConfig
from dsn.gate import Gate
from dsn.heads import HeatmapHead


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """What the two streams bring."""

    visual: Float[Tensor, "B N C"]
    """The keyframe's features, enhanced."""
    visual_maps: Float[Tensor, "B K h w"] | None
    """The visual readout; None where nobody asked for it."""
    temporal: Float[Tensor, "B N C"]
    """The temporal stream's features."""
    temporal_maps: Float[Tensor, "B K h w"] | None
    """The temporal readout; None where nobody asked for it."""
    keypoints: Float[Tensor, "B K D"] | None
    """Keypoint tokens, where there are any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """The answer."""

    heatmaps: Float[Tensor, "B K h w"]
    """Of both streams."""
    gate: Float[Tensor, "B K"] | None = None
    """The temporal stream's share, where there is a gate."""


class MeanFusion(nn.Module):
    """The average of the streams' heatmaps; nothing is learned."""

    def forward(self, streams: Streams, _: HeatmapHead | None) -> Fused:
        """Both readouts, weighted alike."""
        assert streams.temporal_maps is not None
        assert streams.visual_maps is not None
        return Fused(heatmaps=(streams.temporal_maps + streams.visual_maps) / 2)


class ConcatFusion(nn.Module):
    """An MLP of both streams' features at each place, added to the visual features; what is added starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.LayerNorm(2 * width), nn.Linear(2 * width, width), nn.GELU(), ZeroLinear(width, width)
        )

    def forward(self, streams: Streams, head: HeatmapHead) -> Fused:
        """The heatmaps of the fused features."""
        return Fused(heatmaps=head(self.fuse(streams)))

    def fuse(self, streams: Streams) -> Float[Tensor, "B N C"]:
        """Visual features, corrected by the temporal ones."""
        fused: Tensor = streams.visual + self.mlp(torch.cat([streams.temporal, streams.visual], dim=-1))
        return fused


class GatedFusion(nn.Module):
    """Of each joint, the temporal readout as far as the gate trusts it, the reading of the fused features otherwise.

    Concatenation mixes features, so a spoilt keyframe spoils the outcome as well. The gate can leave it out whole. It
    learns when to only where training has spoilt keyframes too (`reader.augment.keyframe_dropout`).
    """

    def __init__(self, width: int, *, joints: int, grid_size: tuple[int, int]) -> None:
        super().__init__()
        self.concat = ConcatFusion(width)
        self.gate = Gate(width, joints=joints, grid_size=grid_size)

    def forward(self, streams: Streams, head: HeatmapHead) -> Fused:
        """The heatmaps, and the gate."""
        assert streams.temporal_maps is not None
        features = self.concat.fuse(streams)
        fused: Tensor = head(features)
        share: Tensor = self.gate(
            torch.cat([streams.temporal, features], dim=-1), maps=torch.stack([streams.temporal_maps, fused], dim=1)
        )
        mixed = torch.lerp(fused, streams.temporal_maps, share[..., None, None].to(fused.dtype))
        return Fused(heatmaps=mixed, gate=share)


class TemporalQueries(nn.Module):
    """Temporal features ask, the keyframe's answer, and the heatmaps are read from those who asked."""

    def __init__(self, width: int, *, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.block = CrossBlock(width, context_width=width, heads=heads, mlp_ratio=mlp_ratio)

    def forward(self, streams: Streams, head: HeatmapHead) -> Fused:
        """The heatmaps of the temporal features that have looked at the keyframe."""
        return Fused(heatmaps=head(self.block(streams.temporal, streams.visual)))


class KeypointQueries(nn.Module):
    """Keypoint tokens, which know the motion, look at the keyframe's features and are read with them as kernels."""

    def __init__(self, width: int, *, token_width: int, head_width: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.block = CrossBlock(token_width, context_width=width, heads=heads, mlp_ratio=mlp_ratio)
        self.norm = nn.LayerNorm(token_width)
        self.change_kernels = ZeroLinear(token_width, head_width)

    def forward(self, streams: Streams, head: HeatmapHead) -> Fused:
        """The heatmaps of the visual features by each joint's refined kernel."""
        refined = self.norm(self.block(streams.keypoints, streams.visual))
        return Fused(heatmaps=head(streams.visual, change=self.change_kernels(refined)))


Fusion = MeanFusion | ConcatFusion | GatedFusion | TemporalQueries | KeypointQueries

OF_FEATURES = (ConcatFusion, TemporalQueries, KeypointQueries)
"""Those that fuse features alone, and so need no readout of a stream."""


def build_fusion(config: ModelConfig, *, joints: int) -> Fusion | None:
    """The fusion that `fusion.mode` names; None where one stream answers alone."""
    width, visual = config.backbone.width, config.visual
    match config.fusion.mode:
        case "mean":
            return MeanFusion()
        case "concat":
            return ConcatFusion(width)
        case "gated":
            return GatedFusion(width, joints=joints, grid_size=config.grid_size(config.backbone.stride))
        case "temporal_queries":
            return TemporalQueries(width, heads=visual.heads, mlp_ratio=visual.mlp_ratio)
        case "keypoint_queries":
            return KeypointQueries(
                width,
                token_width=config.encoder.width,
                head_width=config.head.width,
                heads=config.encoder.heads,
                mlp_ratio=visual.mlp_ratio,
            )
        case "temporal" | "visual":
            return None
