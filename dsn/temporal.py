"""The temporal stream: the keyframe's pose from the watched frames, by default the supporting ones alone."""

from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dsn.attention import Block, CrossBlock, Stack, ZeroLinear
from dsn.config import ModelConfig
from dsn.grid import Grid, regrid
from dsn.reconstruction import build_context_readout, context_size
from dsn.visual import CONTEXTS


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalFeatures:
    """What the S watched frames tell of the keyframe, before heads make heatmaps of it."""

    restored: Float[Tensor, "B S N C"]
    """Each watched frame's tokens on the backbone's grid, changed for the keyframe."""
    mean: Float[Tensor, "B N C"]
    """The same, averaged over the watched frames: what is fused."""
    keypoints: Float[Tensor, "B K D"] | None
    """Keypoint tokens."""
    kernels: Float[Tensor, "B K W"] | None
    """What the keypoint tokens change of their joints' kernels in a head."""
    guess: Float[Tensor, "B M P"] | None
    """The keyframe, patch by patch; in training only."""


class TemporalStream(nn.Module):
    """Keypoint tokens and context tokens meet the encoder's tokens; then all come back to the backbone's grid.

    There, what the stream knows changes the watched frames' own tokens. The change starts at zero, so that with a head
    that was trained on single frames every readout starts as a pose of the watched frames, and learns what to change
    for the keyframe.
    """

    keypoint_positions: Tensor

    def __init__(self, config: ModelConfig, *, joints: int, encoder_grid: Grid, backbone_grid: Grid) -> None:
        super().__init__()
        width, temporal = config.encoder.width, config.temporal
        self.has_keypoints = temporal.keypoint_tokens
        self.keypoint_tokens = _learned(joints if temporal.keypoint_tokens else 0, width=width)
        if temporal.keypoint_tokens and temporal.keypoint_positions:
            self.keypoint_positions = _learned(joints, width=width)
        else:
            self.register_buffer("keypoint_positions", torch.zeros(1, width), persistent=False)
        self.context_tokens = _learned(context_size(config), width=width)
        self.gather, self.return_to_frames = CONTEXTS[temporal.context], RETURNS[temporal.context]
        block = partial(Block, width, heads=config.encoder.heads, mlp_ratio=config.encoder.mlp_ratio)
        self.blocks = Stack([block() for _ in range(temporal.blocks)], checkpointing=config.checkpointing)
        self.norm = nn.LayerNorm(width)
        self.reconstruct = build_context_readout(config)
        self.restore = regrid(encoder_grid, backbone_grid, layer=ZeroLinear)
        self.change_kernels = ZeroLinear(width, config.head.width) if temporal.keypoint_tokens else None
        self.tell = _build_telling(config)

    def forward(self, encoded: Float[Tensor, "B S n D"], *, watched: Float[Tensor, "B S N C"]) -> TemporalFeatures:
        """Read the encoder's tokens; `watched` are the backbone's tokens of the same frames."""
        frames, keypoints, context = self._meet(encoded)
        change: Tensor = self.restore(self.tell(frames, keypoints).flatten(0, 1))
        restored = watched + change.reshape(watched.shape)
        return TemporalFeatures(
            restored=restored,
            mean=restored.mean(dim=1),
            keypoints=keypoints if self.has_keypoints else None,
            kernels=None if self.change_kernels is None else self.change_kernels(keypoints),
            guess=self.reconstruct(context) if self.training and self.reconstruct is not None else None,
        )

    def _meet(
        self, encoded: Float[Tensor, "B S n D"]
    ) -> tuple[Float[Tensor, "B S n D"], Float[Tensor, "B K D"], Float[Tensor, "B M D"]]:
        """The frames' tokens, the keypoint tokens and the context tokens after the blocks.

        Context tokens read the others and are never read, so leaving them out, as evaluation does, changes nothing.
        """
        keypoints = self.keypoint_tokens + self.keypoint_positions
        context = self.context_tokens if self.training else self.context_tokens[:0]
        learned = torch.cat([keypoints, context]).expand(encoded.shape[0], -1, -1)
        sequence = self.gather(encoded)
        count = sequence.shape[1]
        tokens = self.blocks(torch.cat([sequence, learned], dim=1), readable=count + len(keypoints))
        seen, known, asked = self.norm(tokens).split([count, len(keypoints), len(context)], dim=1)
        return self.return_to_frames(seen, encoded), known, asked


class TellMean(nn.Module):
    """The mean keypoint token, added at every place."""

    def forward(self, frames: Float[Tensor, "B S n D"], keypoints: Float[Tensor, "B K D"]) -> Float[Tensor, "B S n D"]:
        """The frames' tokens, told of the keypoints."""
        return frames + keypoints.mean(dim=1)[:, None, None]


class TellJoints(nn.Module):
    """Every place attends to the keypoint tokens, and so to the joints that concern it."""

    def __init__(self, width: int, *, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.block = CrossBlock(width, context_width=width, heads=heads, mlp_ratio=mlp_ratio)

    def forward(self, frames: Float[Tensor, "B S n D"], keypoints: Float[Tensor, "B K D"]) -> Float[Tensor, "B S n D"]:
        """The frames' tokens, told of the keypoints."""
        told: Tensor = self.block(frames.flatten(1, 2), keypoints)
        return told.reshape(frames.shape)


class TellNothing(nn.Module):
    """There are no keypoint tokens."""

    def forward(self, frames: Float[Tensor, "B S n D"], _: Float[Tensor, "B K D"]) -> Float[Tensor, "B S n D"]:
        """The frames' tokens as they are."""
        return frames


def _build_telling(config: ModelConfig) -> TellMean | TellJoints | TellNothing:
    encoder = config.encoder
    if not config.temporal.keypoint_tokens:
        return TellNothing()
    if config.temporal.restore == "mean":
        return TellMean()
    return TellJoints(encoder.width, heads=encoder.heads, mlp_ratio=encoder.mlp_ratio)


def _learned(count: int, *, width: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(count, width) * 0.02)


def _same_tokens(seen: Float[Tensor, "B L D"], encoded: Float[Tensor, "B S n D"]) -> Float[Tensor, "B S n D"]:
    return seen.reshape(encoded.shape)


def _added_to_each(seen: Float[Tensor, "B n D"], encoded: Float[Tensor, "B S n D"]) -> Float[Tensor, "B S n D"]:
    return encoded + seen[:, None]


RETURNS = {"frames": _same_tokens, "mean": _added_to_each}
"""How the tokens of `dsn.visual.CONTEXTS` become each frame's again, once they have met the learned ones."""
