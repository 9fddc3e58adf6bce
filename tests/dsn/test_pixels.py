import pytest
import torch

from dsn.pixels import MEAN, STD, normalize, patchify, split_clip


def test_normalised_black_and_white_are_where_the_mean_and_deviation_put_them() -> None:
    frames = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1).expand(2, 3, 4, 5)

    black, white = normalize(frames)[:, :, 0, 0].tolist()

    assert black == pytest.approx([-mean / std for mean, std in zip(MEAN, STD, strict=True)], abs=1e-5)
    assert white == pytest.approx([(1 - mean) / std for mean, std in zip(MEAN, STD, strict=True)], abs=1e-5)


def test_a_clip_is_split_at_its_keyframe_and_keeps_the_order_of_time() -> None:
    frames = torch.arange(4.0).reshape(1, 4, 1, 1, 1).expand(1, 4, 3, 2, 2)

    keyframe, supporting = split_clip(frames, keyframe_position=2)

    assert torch.equal(keyframe, torch.full((1, 3, 2, 2), 2.0))
    assert supporting[0, :, 0, 0, 0].tolist() == [0, 1, 3]


def test_a_patch_holds_its_square_row_by_row_with_the_colour_last() -> None:
    frame = torch.arange(3.0)[:, None, None] * 100 + torch.arange(4.0)[:, None] * 10 + torch.arange(6.0)

    patches = patchify(frame[None], patch=2)

    assert patches.shape == (1, 6, 12)
    assert patches[0, 4].tolist() == [22, 122, 222, 23, 123, 223, 32, 132, 232, 33, 133, 233]
