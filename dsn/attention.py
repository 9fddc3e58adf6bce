"""Attention, its blocks, and fixed positions: the parts that the streams are made of."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head attention of queries to a context; without a mask, and never keeping a Q x L matrix (SDPA)."""

    def __init__(self, width: int, *, context_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(context_width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, queries: Float[Tensor, "B Q D"], context: Float[Tensor, "B L E"]) -> Float[Tensor, "B Q D"]:
        """What each query gathers from the context of the same batch item."""
        key, value = self.key_value(context).chunk(2, dim=-1)
        query, key, value = (self._split_heads(part) for part in (self.query(queries), key, value))
        gathered = functional.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.out(gathered.transpose(1, 2).flatten(2))
        return out

    def _split_heads(self, tokens: Float[Tensor, "B L D"]) -> Float[Tensor, "B heads L d"]:
        return tokens.reshape(*tokens.shape[:2], self.heads, -1).transpose(1, 2)


class Mlp(nn.Module):
    """Linear, GELU, linear; the hidden layer is `ratio` times as wide."""

    def __init__(self, width: int, *, ratio: float) -> None:
        super().__init__()
        hidden = round(width * ratio)
        self.hidden = nn.Linear(width, hidden)
        self.out = nn.Linear(hidden, width)

    def forward(self, tokens: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """Each token by itself."""
        out: Tensor = self.out(functional.gelu(self.hidden(tokens)))
        return out


class Block(nn.Module):
    """Pre-norm transformer block: attention over one sequence, then an MLP, each added to its input."""

    def __init__(self, width: int, *, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, context_width=width, heads=heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = Mlp(width, ratio=mlp_ratio)

    def forward(self, tokens: Float[Tensor, "B L D"], *, readable: int | None = None) -> Float[Tensor, "B L D"]:
        """Every token reads the first `readable` tokens (None: all); those behind them read, and are never read."""
        normed = self.attention_norm(tokens)
        tokens = tokens + self.attention(normed, normed[:, :readable])
        out: Tensor = tokens + self.mlp(self.mlp_norm(tokens))
        return out


def zero(layer: nn.Linear) -> nn.Linear:
    """The layer with zero weights, so that a branch it ends starts by adding nothing to what is there already."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def sine_cosine(positions: Float[Tensor, " N"], *, width: int) -> Float[Tensor, "N width"]:
    """Sines, then cosines, of positions at width / 2 wavelengths from 2 pi to 10,000 * 2 pi (Vaswani et al., 2017)."""
    rates = torch.exp(torch.arange(width // 2) * (-math.log(10_000.0) / (width // 2)))
    angles = positions[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def sine_cosine_grid(size: tuple[int, int], *, width: int) -> Float[Tensor, "N width"]:
    """Fixed positions of a (height, width) grid's tokens: half the channels tell the row, half the column."""
    rows, columns = torch.meshgrid(torch.arange(float(size[0])), torch.arange(float(size[1])), indexing="ij")
    parts = [sine_cosine(axis.flatten(), width=width // 2) for axis in (rows, columns)]
    return torch.cat(parts, dim=-1)
