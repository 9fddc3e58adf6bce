"""Two faults that published networks of this family have, built again small: the checks of every preset catch them."""

from functools import partial
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from dsn.grid import to_grid
from tests.world.invariants import batch_gap, misplaced

SIZE = (6, 4)
WIDTH, JOINTS = 8, 3


class Toy(nn.Module):
    """Keyframe tokens attend to supporting tokens; a convolution makes heatmaps of the grid.

    `scrambled` reshapes tokens to a grid where it should transpose, so that a cell holds channels of several tokens.
    `mixed` folds (clips, frames) the wrong way round, so that a clip attends to the frames of others.
    """

    def __init__(self, fault: Literal["none", "scrambled", "mixed"]) -> None:
        super().__init__()
        self.fault = fault
        self.attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
        self.head = nn.Conv2d(WIDTH, JOINTS, 1)

    def forward(self, keyframe: Tensor, supporting: Tensor) -> dict[str, Tensor]:
        clips, frames, count, width = supporting.shape
        if self.fault == "mixed":
            context = supporting.transpose(0, 1).reshape(clips, frames * count, width)
        else:
            context = supporting.flatten(1, 2)
        tokens = keyframe + self.attention(keyframe, context, context)[0]
        grid = tokens.reshape(clips, width, *SIZE) if self.fault == "scrambled" else to_grid(tokens, size=SIZE)
        return {"final": self.head(grid)}


def _toy(fault: Literal["none", "scrambled", "mixed"]) -> Toy:
    torch.manual_seed(0)
    return Toy(fault).eval()


def _tokens(*shape: int) -> Tensor:
    return torch.randn(*shape, SIZE[0] * SIZE[1], WIDTH, generator=torch.Generator().manual_seed(1))


def _faults(toy: Toy) -> set[str]:
    """The names of the checks that a toy fails."""
    read = partial(_read_alike, toy)
    checks = {
        "layout": misplaced(read, _tokens(1), size=SIZE),
        "batch": batch_gap(toy, _tokens(3), _tokens(3, 2)),
    }
    return {name for name, found in checks.items() if found}


def _read_alike(toy: Toy, tokens: Tensor) -> dict[str, Tensor]:
    return toy(tokens, tokens[:, None].expand(-1, 2, -1, -1))  # type: ignore[no-any-return]


@pytest.mark.parametrize(("fault", "caught"), [("none", set()), ("scrambled", {"layout"}), ("mixed", {"batch"})])
def test_each_fault_is_caught_by_its_check_and_a_right_network_by_none(
    fault: Literal["none", "scrambled", "mixed"], caught: set[str]
) -> None:
    assert _faults(_toy(fault)) == caught
