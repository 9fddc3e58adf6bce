"""Attention, its blocks, and fixed positions: the parts that the streams are made of."""

import math
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint


class ZeroLinear(nn.Linear):
    """A linear layer that starts at zero: a branch that it ends adds nothing at first to what is there already."""

    def reset_parameters(self) -> None:
        """Zero weights; the draws that other layers take are taken too, so that the next layer gets the same ones."""
        super().reset_parameters()
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)


class Attention(nn.Module):
    """Multi-head attention of queries to a context; without a mask, and never keeping a Q x L matrix (SDPA)."""

    def __init__(self, width: int, *, context_width: int, heads: int, last: type[nn.Linear] = nn.Linear) -> None:
        """End in a layer of the type `last`."""
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(context_width, 2 * width)
        self.out = last(width, width)

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

    def __init__(self, width: int, *, ratio: float, last: type[nn.Linear] = nn.Linear) -> None:
        """End in a layer of the type `last`."""
        super().__init__()
        hidden = round(width * ratio)
        self.hidden = nn.Linear(width, hidden)
        self.out = last(hidden, width)

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


class CrossBlock(nn.Module):
    """Pre-norm cross-attention, then an MLP, each added to the queries; what is added starts at zero."""

    def __init__(self, width: int, *, context_width: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.query_norm = nn.LayerNorm(width)
        self.context_norm = nn.LayerNorm(context_width)
        self.attention = Attention(width, context_width=context_width, heads=heads, last=ZeroLinear)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = Mlp(width, ratio=mlp_ratio, last=ZeroLinear)

    def forward(self, queries: Float[Tensor, "B Q D"], context: Float[Tensor, "B L E"]) -> Float[Tensor, "B Q D"]:
        """The queries, with what they gathered from the context."""
        tokens = queries + self.attention(self.query_norm(queries), self.context_norm(context))
        out: Tensor = tokens + self.mlp(self.mlp_norm(tokens))
        return out


class Stack(nn.ModuleList):
    """Blocks one after the other, whose activations are kept for the backward pass or computed anew in it."""

    def __init__(self, blocks: list[nn.Module], *, checkpointing: bool) -> None:
        super().__init__(blocks)
        self.apply_block = partial(checkpoint, use_reentrant=False) if checkpointing else _apply

    def forward(self, tokens: Float[Tensor, "*B D"], **options: Any) -> Float[Tensor, "*B D"]:
        """Tokens through every block; each block takes the options."""
        for block in self:
            tokens = self.apply_block(block, tokens, **options)
        return tokens


def _apply(block: nn.Module, tokens: Tensor, **options: Any) -> Tensor:
    out: Tensor = block(tokens, **options)
    return out


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
