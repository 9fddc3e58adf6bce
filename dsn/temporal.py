"""The temporal stream: the keyframe's pose from the supporting frames alone."""

from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dsn.attention import Block, zero
from dsn.config import ModelConfig
from dsn.grid import split
from dsn.heads import build_head


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalReadouts:
    """What the supporting frames tell of the keyframe."""

    features: Float[Tensor, "B N C"]
    """The dense readout's tokens, averaged over the supporting frames: what fusion takes."""
    keypoint: Float[Tensor, "B K h w"]
    """Heatmaps read by the keypoint tokens."""
    dense: Float[Tensor, "B S K h w"]
    """The keyframe's heatmaps, once from each supporting frame's tokens."""
    reconstruction: Float[Tensor, "B M P"] | None
    """The keyframe's pixels, patch by patch; in training only."""

    @property
    def answer(self) -> Float[Tensor, "B K h w"]:
        """What the stream answers: the mean of its two ways of reading."""
        return (self.keypoint + self.dense.mean(dim=1)) / 2


class TemporalStream(nn.Module):
    """Keypoint tokens and context tokens meet the encoder's tokens; then all three are read.

    The dense readout restores the encoder's tokens, with the mean keypoint token added, to the backbone's grid, where
    they change the supporting frames' own tokens. The change starts at zero, so that with a head that was trained on
    single frames every readout starts as a pose of the supporting frames, and learns what to change for the keyframe.
    """

    def __init__(self, config: ModelConfig, *, joints: int, factor: int) -> None:
        """`factor` backbone cells lie along the side of an encoder cell."""
        super().__init__()
        width, grid_width = config.encoder.width, config.backbone.width
        self.grid_size, self.factor = config.grid_size(config.backbone.stride), factor
        rows, columns = config.grid_size(config.temporal.context_patch)
        self.keypoint_tokens = nn.Parameter(torch.randn(joints, width) * 0.02)
        self.keypoint_positions = nn.Parameter(torch.randn(joints, width) * 0.02)
        self.context_tokens = nn.Parameter(torch.randn(rows * columns, width) * 0.02)
        block = partial(Block, width, heads=config.encoder.heads, mlp_ratio=config.encoder.mlp_ratio)
        self.blocks = nn.ModuleList([block() for _ in range(config.temporal.blocks)])
        self.norm = nn.LayerNorm(width)
        self.reconstruct = nn.Linear(width, 3 * config.temporal.context_patch**2)
        self.restore = zero(nn.Linear(width, factor**2 * grid_width))
        self.change_kernels = zero(nn.Linear(width, config.head.width))
        self.dense_head = build_head(config, joints=joints)
        self.keypoint_head = build_head(config, joints=joints)

    def forward(self, encoded: Float[Tensor, "B S n D"], *, supporting: Float[Tensor, "B S N C"]) -> TemporalReadouts:
        """Read the encoder's tokens; `supporting` are the backbone's tokens of the same frames."""
        frames, keypoints, context = self._meet(encoded)
        restored = self._restore(frames + keypoints.mean(dim=1)[:, None, None], supporting=supporting)
        features = restored.mean(dim=1)
        dense = self.dense_head(restored.flatten(0, 1))
        return TemporalReadouts(
            features=features,
            keypoint=self.keypoint_head(features, change=self.change_kernels(keypoints)),
            dense=dense.reshape(*restored.shape[:2], *dense.shape[1:]),
            reconstruction=self.reconstruct(context) if self.training else None,
        )

    def _meet(
        self, encoded: Float[Tensor, "B S n D"]
    ) -> tuple[Float[Tensor, "B S n D"], Float[Tensor, "B K D"], Float[Tensor, "B M D"]]:
        """The three kinds of tokens after the blocks.

        Context tokens read the others and are never read, so leaving them out, as evaluation does, changes nothing.
        """
        clips, frames, count, _ = encoded.shape
        keypoints = self.keypoint_tokens + self.keypoint_positions
        context = self.context_tokens if self.training else self.context_tokens[:0]
        learned = torch.cat([keypoints, context]).expand(clips, -1, -1)
        tokens = torch.cat([encoded.flatten(1, 2), learned], dim=1)
        readable = frames * count + len(keypoints)
        for block in self.blocks:
            tokens = block(tokens, readable=readable)
        seen, known, asked = self.norm(tokens).split([frames * count, len(keypoints), len(context)], dim=1)
        return seen.reshape(encoded.shape), known, asked

    def _restore(
        self, tokens: Float[Tensor, "B S n D"], *, supporting: Float[Tensor, "B S N C"]
    ) -> Float[Tensor, "B S N C"]:
        """The supporting frames' own tokens, changed by what the stream knows."""
        change = split(self.restore(tokens).flatten(0, 1), size=self.grid_size, factor=self.factor)
        return supporting + change.reshape(supporting.shape)
