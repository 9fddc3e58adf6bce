import torch

from dsn.grid import merge, split, to_grid, to_tokens


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
