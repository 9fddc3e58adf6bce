"""Published weights see the pixels that they were trained on, whatever networks here are fed with."""

from dataclasses import replace

import pytest
import timm
import torch
from torch import Tensor

from dsn.adoption import Adoption, adopt
from dsn.config import ModelConfig
from dsn.network import SingleFrame, build_single_frame
from dsn.parts import BackboneConfig
from dsn.pixels import IMAGENET, PixelScale, normalize
from dsn.published import COCO, Published, translate
from dsn.rescaling import published_scale
from dsn.skeleton import POSETRACK

HALF = PixelScale(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
CLIP = PixelScale(mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711))
TINY = BackboneConfig(name="vit_tiny_patch16_224", stride=16, width=192, drop_path=0.0)


@pytest.fixture
def frames() -> Tensor:
    return torch.randint(0, 256, (2, 3, 64, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def imported(
    config: ModelConfig, backbone: BackboneConfig, *, pixels: PixelScale | None = None
) -> tuple[SingleFrame, Adoption, dict[str, Tensor]]:
    """A network with published weights, what became of them, and these weights."""
    torch.manual_seed(5)
    weights = dict(timm.create_model(backbone.name, pretrained=False).state_dict())
    config = replace(config, backbone=backbone)
    network = build_single_frame(config, POSETRACK)
    new = ("head", "backbone.project", "backbone.norm")
    adoption = adopt(
        network, translate(weights), config=config, skeleton=POSETRACK, joints=COCO, new=new, pixels=pixels
    )
    return network, adoption, weights


@pytest.mark.parametrize("pixels", [None, HALF, CLIP, IMAGENET])
def test_patches_of_our_pixels_are_the_published_ones_of_their_own(
    config: ModelConfig, frames: Tensor, pixels: PixelScale | None
) -> None:
    network, adoption, weights = imported(config, TINY, pixels=pixels)
    used = pixels or HALF  # as timm says of this network

    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (used.mean, used.std))
    own = torch.nn.functional.conv2d(
        (frames / 255 - mean) / std, weights["patch_embed.proj.weight"], weights["patch_embed.proj.bias"], stride=16
    )
    ours = network.backbone.body.patch_embed(normalize(frames))

    assert adoption.pixels == used
    torch.testing.assert_close(ours, own.flatten(2).transpose(1, 2), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "stride"), [("resnet18", 8), ("convnext_atto", 8), ("vitpose_small", 16)])
def test_other_pixels_are_refused_where_zeros_come_in_at_the_border(
    config: ModelConfig, name: str, stride: int
) -> None:
    backbone = BackboneConfig(name=name, stride=stride, width=384, drop_path=0.0)

    with pytest.raises(
        ValueError, match=r"got weights for pixels of mean 0\.5 0\.5 0\.5 and std .*, wanted mean 0\.485"
    ):
        imported(config, backbone, pixels=HALF)


def test_where_timm_knows_several_the_user_is_asked() -> None:
    published = Published(family="timm", weights={}, left_out=())

    with pytest.raises(ValueError, match=r"mean 0\.5 0\.5 0\.5 .*augreg_in1k.*; mean 0\.485 .*mae\); say which"):
        published_scale(published, name="vit_base_patch16_224")

    assert published_scale(published, name="vit_base_patch16_224.mae") == IMAGENET
    assert published_scale(published, name="vit_base_patch16_224.augreg_in1k") == HALF
    assert published_scale(published, name="resnet50") == IMAGENET


def test_vitpose_and_mae_with_its_decoder_were_trained_on_imagenets() -> None:
    decoder = {"backbone.body.decoder_embed.weight": torch.zeros(1)}

    for published in (
        Published(family="ViTPose", weights={}, left_out=()),
        Published(family="timm", weights=decoder, left_out=()),
    ):
        assert published_scale(published, name="vit_base_patch16_224") == IMAGENET
