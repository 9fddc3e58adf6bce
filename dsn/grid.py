"""Tokens and grids: two layouts of the same numbers, and the steps between a fine and a coarse grid.

Token n of a (height, width) grid stands at row n // width and column n % width, everywhere in this package.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A grid of tokens."""

    size: tuple[int, int]
    """Height and width, in tokens."""
    width: int
    """Channels of a token."""


def to_grid(tokens: Float[Tensor, "B N D"], *, size: tuple[int, int]) -> Float[Tensor, "B D h w"]:
    """Lay tokens out as a map of `size` (height, width): `grid[b, d, n // w, n % w] == tokens[b, n, d]`."""
    height, width = size
    return tokens.transpose(1, 2).reshape(tokens.shape[0], tokens.shape[2], height, width)


def to_tokens(grid: Float[Tensor, "B D h w"]) -> Float[Tensor, "B N D"]:
    """The inverse of `to_grid`."""
    return grid.flatten(2).transpose(1, 2)


def merge(tokens: Float[Tensor, "B N D"], *, size: tuple[int, int], factor: int) -> Float[Tensor, "B n E"]:
    """Gather every factor x factor neighbourhood of a grid of `size` into one token of factor * factor * D numbers."""
    height, width = size
    batch, _, channels = tokens.shape
    cells = tokens.reshape(batch, height // factor, factor, width // factor, factor, channels)
    return cells.transpose(2, 3).reshape(batch, -1, factor * factor * channels)


def split(tokens: Float[Tensor, "B n E"], *, size: tuple[int, int], factor: int) -> Float[Tensor, "B N D"]:
    """The inverse of `merge`; `size` is that of the fine grid, in which the tokens come out."""
    height, width = size
    batch, _, gathered = tokens.shape
    channels = gathered // factor**2
    cells = tokens.reshape(batch, height // factor, width // factor, factor, factor, channels)
    return cells.transpose(2, 3).reshape(batch, height * width, channels)


class Coarsen(nn.Module):
    """A linear layer from the cells below a coarse grid's cell to that cell; the grids may also be equal."""

    def __init__(self, before: Grid, after: Grid, *, layer: type[nn.Linear]) -> None:
        super().__init__()
        self.size, self.factor = before.size, before.size[0] // after.size[0]
        self.linear = layer(self.factor**2 * before.width, after.width)

    def forward(self, tokens: Float[Tensor, "B N C"]) -> Float[Tensor, "B n D"]:
        """Tokens of the grid `after`."""
        out: Tensor = self.linear(merge(tokens, size=self.size, factor=self.factor))
        return out


class Refine(nn.Module):
    """A linear layer from a coarse grid's cell to the cells below it; the grids may also be equal."""

    def __init__(self, before: Grid, after: Grid, *, layer: type[nn.Linear]) -> None:
        super().__init__()
        self.size, self.factor = after.size, after.size[0] // before.size[0]
        self.linear = layer(before.width, self.factor**2 * after.width)

    def forward(self, tokens: Float[Tensor, "B n D"]) -> Float[Tensor, "B N C"]:
        """Tokens of the grid `after`."""
        return split(self.linear(tokens), size=self.size, factor=self.factor)


def regrid(before: Grid, after: Grid, *, layer: type[nn.Linear] = nn.Linear) -> Coarsen | Refine:
    """From one grid to another, of which one is a power of two times as fine; `layer` is the type of linear layer."""
    kind = Coarsen if before.size[0] >= after.size[0] else Refine
    return kind(before, after, layer=layer)
