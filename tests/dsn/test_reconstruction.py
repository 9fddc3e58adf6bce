from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor

from dsn.config import ModelConfig
from dsn.network import build
from dsn.pixels import patchify
from dsn.reconstruction import TokenMask, build_target, draw_frames, draw_tubes
from dsn.skeleton import POSETRACK
from tests.world.networks import TRANSFORMER, model_config

Clips = tuple[Tensor, Tensor]
SHAPE = (3, 4, 12)


def test_a_tube_hides_the_same_cells_of_every_frame_and_other_cells_in_every_clip() -> None:
    torch.manual_seed(0)
    hidden = draw_tubes(SHAPE, share=0.5, device=torch.device("cpu"))

    assert hidden.sum(dim=2).eq(6).all()
    assert (hidden == hidden[:, :1]).all()
    assert not torch.equal(hidden[0], hidden[1])


def test_whole_frames_are_hidden_at_least_one_and_never_all() -> None:
    for share, count in ((0.01, 1), (0.5, 2), (0.99, 3)):
        hidden = draw_frames(SHAPE, share=share, device=torch.device("cpu"))

        assert hidden.all(dim=2).sum(dim=1).tolist() == [count] * 3
        assert hidden.any(dim=2).sum(dim=1).tolist() == [count] * 3


def test_the_mask_token_stands_where_tokens_are_hidden_in_training_alone() -> None:
    config = model_config("semantic_masking")  # cells of 16 pixels on a grid of 8
    mask = TokenMask(config)
    tokens = torch.randn(2, 4, 48, config.backbone.width)

    shown, hidden = mask.train()(tokens)

    assert hidden.shape == (2, 4, 12)
    replaced = (shown == mask.token).all(dim=-1)
    assert torch.equal(shown[~replaced], tokens[~replaced])
    grid = replaced.reshape(2, 4, 4, 2, 3, 2)
    assert torch.equal(grid.all(dim=(3, 5)).flatten(2), hidden)
    assert torch.equal(grid.any(dim=(3, 5)).flatten(2), hidden)
    assert mask.eval()(tokens) == (tokens, None)


@pytest.mark.parametrize("stride", [8, 32])
def test_hidden_tokens_are_those_of_the_encoder_on_any_grid(stride: int) -> None:
    config = model_config("semantic_masking", input_size=[64, 64], backbone=TRANSFORMER, encoder={"stride": stride})

    rebuilt = build(config, POSETRACK)(torch.randn(2, 3, 64, 64), torch.randn(2, 4, 3, 64, 64)).masked

    cells = (64 // stride) ** 2
    assert rebuilt.counted.shape == (2, 4 * cells)
    assert rebuilt.counted.sum() == 2 * 4 * cells / 2
    assert rebuilt.guess.shape == rebuilt.truth.shape == (2, 4 * cells, 3 * stride**2)


def test_targets_are_pixels_standard_pixels_or_standard_features() -> None:
    config = model_config()
    frames, tokens = torch.randn(2, 3, 64, 48), torch.randn(2, 48, 24, requires_grad=True)
    targets = {
        name: build_target(replace(config, context=replace(config.context, target=name)), patch=16)(frames, tokens)
        for name in ("pixels", "normalized_pixels", "features")
    }

    assert torch.equal(targets["pixels"], patchify(frames, patch=16))
    for name, width in (("normalized_pixels", 768), ("features", 4 * 24)):
        assert targets[name].shape == (2, 12, width)
        torch.testing.assert_close(targets[name].mean(dim=-1), torch.zeros(2, 12), atol=1e-5, rtol=0)
        torch.testing.assert_close(targets[name].std(dim=-1, correction=0), torch.ones(2, 12), atol=1e-3, rtol=0)
    assert not targets["features"].requires_grad


@pytest.mark.parametrize(("tokens", "count"), [("patches", 12), ("one", 1)])
def test_one_token_or_one_a_patch_reconstructs_all_patches(
    config: ModelConfig, clips: Clips, tokens: Literal["patches", "one"], count: int
) -> None:
    network = build(replace(config, context=replace(config.context, tokens=tokens)), POSETRACK)

    rebuilt = network(*clips).reconstruction

    assert network.get_parameter("temporal.context_tokens").shape == (count, 16)
    assert rebuilt.guess.shape == (2, 12, 768)
    assert rebuilt.guess[0].std(dim=0).max() > 0
    assert torch.equal(rebuilt.truth, patchify(clips[0], patch=16))
