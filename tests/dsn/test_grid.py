import torch

from dsn.grid import Coarsen, Grid, Refine, merge, regrid, split, to_grid, to_tokens


def test_a_token_stands_at_its_row_and_column() -> None:
    tokens = torch.randn(2, 6, 5)

    grid = to_grid(tokens, size=(2, 3))

    assert grid.shape == (2, 5, 2, 3)
    for token in range(6):
        for channel in range(5):
            assert grid[1, channel, token // 3, token % 3] == tokens[1, token, channel]


def test_tokens_to_grid_to_tokens_is_the_identity() -> None:
    tokens = torch.randn(2, 6, 5)

    assert torch.equal(to_tokens(to_grid(tokens, size=(2, 3))), tokens)


def test_merging_gathers_the_cells_of_a_square() -> None:
    tokens = torch.arange(16.0).reshape(1, 16, 1)

    merged = merge(tokens, size=(4, 4), factor=2)

    assert merged[0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_splitting_undoes_merging() -> None:
    tokens = torch.randn(2, 24, 3)

    merged = merge(tokens, size=(6, 4), factor=2)

    assert merged.shape == (2, 6, 12)
    assert torch.equal(split(merged, size=(6, 4), factor=2), tokens)


def test_a_cell_is_made_of_the_cells_below_it_and_goes_back_to_them() -> None:
    fine, coarse = Grid(size=(4, 6), width=5), Grid(size=(2, 3), width=7)
    down, up = regrid(fine, coarse), regrid(coarse, fine)
    tokens = torch.randn(1, 24, 5, requires_grad=True)

    (above,) = torch.autograd.grad(down(tokens)[0, 4].sum(), tokens)  # row 1, column 1
    (below,) = torch.autograd.grad(up(down(tokens))[0, 15].sum(), tokens)  # row 2, column 3

    assert (type(down), type(up)) == (Coarsen, Refine)
    assert above[0].any(dim=1).nonzero().flatten().tolist() == [14, 15, 20, 21]
    assert below[0].any(dim=1).nonzero().flatten().tolist() == [14, 15, 20, 21]


def test_equal_grids_change_widths_alone() -> None:
    layer = regrid(Grid(size=(2, 3), width=5), Grid(size=(2, 3), width=7))
    tokens = torch.randn(1, 6, 5)

    torch.testing.assert_close(layer(tokens), layer.linear(tokens))
