from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from dsn.backbone import PlainBackbone, PyramidBackbone, build_backbone, freeze_batch_norm
from dsn.config import ModelConfig
from dsn.network import build, build_single_frame
from dsn.parts import BackboneConfig
from dsn.skeleton import POSETRACK


def _build(
    name: str,
    *,
    stride: int,
    width: int = 24,
    size: tuple[int, int] = (64, 48),
    drop_path: float = 0.0,
    checkpointing: bool = False,
) -> PlainBackbone | PyramidBackbone:
    config = BackboneConfig(name=name, stride=stride, width=width, drop_path=drop_path)
    return build_backbone(config, input_size=size, checkpointing=checkpointing)


@pytest.mark.parametrize(
    ("name", "stride"),
    [
        ("mobilenetv3_small_050", 8),
        ("mobilenetv3_small_050", 16),
        ("resnet18", 16),
        ("convnext_atto", 8),
        ("swin_tiny_patch4_window7_224", 8),
        ("hiera_tiny_224", 8),
        ("test_vit", 16),
        ("test_vit2", 16),
        ("eva02_tiny_patch14_224", 16),
        ("vit_small_patch16_dinov3", 16),
    ],
)
def test_every_kind_of_backbone_gives_one_token_a_cell(name: str, stride: int) -> None:
    backbone = _build(name, stride=stride, size=(64, 96)).eval()

    assert backbone(torch.randn(2, 3, 64, 96)).shape == (2, (64 // stride) * (96 // stride), 24)


def test_the_tokens_of_a_transformer_are_its_patches_in_order() -> None:
    backbone = _build("test_vit", stride=16, width=64)
    assert isinstance(backbone, PlainBackbone)
    backbone.body.blocks, backbone.body.norm = nn.Identity(), nn.Identity()
    frame = torch.randn(1, 3, 64, 48)
    changed = frame.clone()
    changed[:, :, 32:48, 16:32] = 0

    moved = (backbone(frame) != backbone(changed)).any(dim=-1)

    assert moved.nonzero().tolist() == [[0, 2 * 3 + 1]]
    assert isinstance(backbone.project, nn.Identity)


def test_a_transformer_of_another_width_is_projected() -> None:
    backbone = _build("test_vit", stride=16, width=32)

    assert backbone(torch.randn(1, 3, 64, 48)).shape == (1, 12, 32)


@pytest.mark.parametrize(
    ("name", "stride", "message"),
    [
        ("mobilenetv3_smal", 8, "backbone.name: got mobilenetv3_smal, wanted a model that timm"),
        ("mobilenetv3_small_050", 64, r"backbone.stride: got 64, wanted one of \[2, 4, 8, 16, 32\]"),
        ("test_vit", 8, "backbone.stride: got 8, wanted 16: the patch size of test_vit"),
    ],
)
def test_a_backbone_that_timm_lacks_is_refused_by_name(name: str, stride: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _build(name, stride=stride)


def test_patches_of_14_pixels_are_built_as_large_as_the_stride() -> None:
    backbone = _build("eva02_tiny_patch14_224", stride=16, size=(64, 96))

    assert isinstance(backbone, PlainBackbone)
    assert backbone.body.patch_embed.proj.kernel_size == (16, 16)


@pytest.mark.parametrize(("name", "stride"), [("test_vit", 16), ("mobilenetv3_small_050", 8)])
def test_paths_are_dropped_in_training_alone(name: str, stride: int) -> None:
    torch.manual_seed(0)
    backbone, frames = _build(name, stride=stride, drop_path=0.5), torch.randn(4, 3, 64, 48)
    freeze_batch_norm(backbone)

    assert not torch.equal(backbone(frames), backbone(frames))
    assert torch.equal(backbone.eval()(frames), backbone(frames))


def test_a_network_without_paths_to_drop_is_refused() -> None:
    with pytest.raises(ValueError, match=r"backbone\.drop_path: got 0\.1, wanted 0: hrnet_w18_small drops no paths"):
        _build("hrnet_w18_small", stride=8, drop_path=0.1)


def test_gradients_lie_in_memory_as_their_weights_do(config: ModelConfig, clips: tuple[Tensor, Tensor]) -> None:
    network = build_single_frame(config, POSETRACK)

    torch.autograd.backward(network(clips[0]).final.square().sum())

    for name, parameter in network.named_parameters():  # DistributedDataParallel warns and copies where they do not
        assert parameter.grad is not None
        assert parameter.grad.stride() == parameter.stride(), name


def _statistics(network: nn.Module) -> Tensor:
    return torch.cat([value.flatten() for name, value in network.state_dict().items() if "running" in name])


def test_single_frame_training_moves_batch_norm_statistics(config: ModelConfig, clips: tuple[Tensor, Tensor]) -> None:
    network = build_single_frame(config, POSETRACK)
    before = _statistics(network).clone()

    network(clips[0])

    assert not torch.equal(_statistics(network), before)


def test_dual_stream_training_keeps_batch_norm_statistics_and_trains_its_weights(
    config: ModelConfig, clips: tuple[Tensor, Tensor], stir: Callable[[nn.Module], None]
) -> None:
    network = build(config, POSETRACK).train()
    stir(network)
    before = _statistics(network).clone()

    norms = [module.weight for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    gradients = torch.autograd.grad(network(*clips).final.square().sum(), norms)

    assert norms
    assert torch.equal(_statistics(network), before)
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


def test_batch_norm_of_a_frozen_network_is_the_same_in_training_and_evaluation(
    config: ModelConfig, backbone: BackboneConfig, clips: tuple[Tensor, Tensor], stir: Callable[[nn.Module], None]
) -> None:
    network = build(replace(config, backbone=backbone), POSETRACK)
    stir(network)

    training, evaluation = network.train()(*clips), network.eval()(*clips)

    torch.testing.assert_close(training.final, evaluation.final)
    torch.testing.assert_close(training.dense, evaluation.dense)
