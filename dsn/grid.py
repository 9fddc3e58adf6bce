"""Tokens and grids: two layouts of the same numbers, and the steps between a fine and a coarse grid.

Token n of a (height, width) grid stands at row n // width and column n % width, everywhere in this package.
"""

from jaxtyping import Float
from torch import Tensor


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
