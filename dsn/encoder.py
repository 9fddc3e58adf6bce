"""The encoder: space-time attention over the frames that the temporal stream watches."""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dsn.attention import Attention, Block, Mlp, Stack, sine_cosine, sine_cosine_grid
from dsn.config import ModelConfig
from dsn.grid import Grid, regrid
from dsn.parts import EncoderConfig


class DividedBlock(nn.Module):
    """Attention along time, then within each frame, then an MLP (Bertasius et al., 2021, TimeSformer)."""

    def __init__(self, width: int, *, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.time_norm = nn.LayerNorm(width)
        self.time = Attention(width, context_width=width, heads=heads)
        self.space_norm = nn.LayerNorm(width)
        self.space = Attention(width, context_width=width, heads=heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = Mlp(width, ratio=mlp_ratio)

    def forward(self, tokens: Float[Tensor, "B S N D"]) -> Float[Tensor, "B S N D"]:
        """Tokens that have seen their own place in other frames, then their own frame."""
        clips, frames, count, _ = tokens.shape
        normed = self.time_norm(tokens).transpose(1, 2).flatten(0, 1)
        tokens = tokens + self.time(normed, normed).reshape(clips, count, frames, -1).transpose(1, 2)
        normed = self.space_norm(tokens).flatten(0, 1)
        tokens = tokens + self.space(normed, normed).reshape(tokens.shape)
        out: Tensor = tokens + self.mlp(self.mlp_norm(tokens))
        return out


class Encoder(nn.Module):
    """Backbone tokens of the S watched frames to encoder tokens, on the encoder's own grid and width."""

    space: Tensor
    time: Tensor

    def __init__(self, model: ModelConfig, *, encoder_grid: Grid, backbone_grid: Grid) -> None:
        super().__init__()
        config = model.encoder
        self.enter = regrid(backbone_grid, encoder_grid)
        self.register_buffer("space", sine_cosine_grid(encoder_grid.size, width=config.width), persistent=False)
        positions = _temporal_positions(config, offsets=model.watched)
        if config.temporal_positions == "learnable":
            self.time = nn.Parameter(positions)
        else:
            self.register_buffer("time", positions, persistent=False)
        joint = partial(Block, config.width, heads=config.heads, mlp_ratio=config.mlp_ratio)
        divided = partial(DividedBlock, config.width, heads=config.heads, mlp_ratio=config.mlp_ratio)
        self.joint = Stack([joint() for _ in range(config.joint_blocks)], checkpointing=model.checkpointing)
        self.divided = Stack([divided() for _ in range(config.divided_blocks)], checkpointing=model.checkpointing)

    def forward(self, watched: Float[Tensor, "B S N C"]) -> Float[Tensor, "B S n D"]:
        """Tokens that know where and when they are, and have seen the other frames."""
        entered = self.enter(watched.flatten(0, 1)) + self.space
        tokens = entered.reshape(*watched.shape[:2], *entered.shape[1:]) + self.time[:, None]
        encoded: Tensor = self.divided(self.joint(tokens.flatten(1, 2)).reshape(tokens.shape))
        return encoded


def _temporal_positions(config: EncoderConfig, *, offsets: tuple[int, ...]) -> Float[Tensor, "S D"]:
    """A position for each frame: to be learned, fixed by its offset from the keyframe, or none."""
    match config.temporal_positions:
        case "learnable":
            return nn.init.trunc_normal_(torch.empty(len(offsets), config.width), std=0.02)
        case "sincos":
            return sine_cosine(torch.tensor(offsets, dtype=torch.float32), width=config.width)
        case "none":
            return torch.zeros(len(offsets), config.width)
