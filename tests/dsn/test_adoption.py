"""Weights under their published names give the published network's numbers, or are refused."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from dsn.adoption import Adoption, adopt
from dsn.config import ModelConfig
from dsn.network import SingleFrame, build_single_frame
from dsn.parts import BackboneConfig, HeadConfig, HeatmapConfig
from dsn.pixels import IMAGENET, PixelScale
from dsn.published import COCO, Published, read, translate
from dsn.skeleton import POSETRACK
from tests.world.vitpose import (
    WIDTH,
    Weights,
    as_hugging_face_has_it,
    as_mmpose_has_it,
    as_the_authors_have_it,
    vitpose_heatmaps,
)

KINDS: dict[str, Callable[[Weights], Weights]] = {
    "authors": dict,
    "hugging face": as_hugging_face_has_it,
    "mmpose": as_mmpose_has_it,
}


@pytest.fixture
def vitpose(config: ModelConfig) -> ModelConfig:
    """ViTPose-S at 64 x 48, which has a grid of four by three patches."""
    return replace(
        config,
        backbone=BackboneConfig(name="vitpose_small", stride=16, width=WIDTH, drop_path=0.0),
        heatmap=HeatmapConfig(stride=4, sigma=2.0, encoding="udp", decoding="dark"),
        head=HeadConfig(width=256, norm="batch", sharing="visual"),
    )


def adopted(
    config: ModelConfig, published: Published, *, new: tuple[str, ...] = (), pixels: PixelScale | None = None
) -> tuple[SingleFrame, Adoption]:
    network = build_single_frame(config, POSETRACK)
    adoption = adopt(network, published, config=config, skeleton=POSETRACK, joints=COCO, new=new, pixels=pixels)
    return network.eval(), adoption


@pytest.mark.parametrize("names", KINDS)
def test_an_imported_vitpose_answers_as_the_published_network(vitpose: ModelConfig, names: str) -> None:
    weights = as_the_authors_have_it()
    frames = torch.randn(2, 3, 64, 48, generator=torch.Generator().manual_seed(2))

    network, adoption = adopted(vitpose, translate(KINDS[names](weights)))
    with torch.inference_mode():
        found = network(frames).final

    expected = vitpose_heatmaps(weights, frames)
    kept = [POSETRACK.joints.index(joint) for joint in adoption.joints]
    published = [COCO.index(joint) for joint in adoption.joints]
    assert expected[:, published].std() > 0.01
    torch.testing.assert_close(found[:, kept], expected[:, published], atol=1e-4, rtol=1e-4)
    assert (adoption.missing, adoption.resized, adoption.left_out) == ((), (), ())


def test_joints_that_coco_lacks_start_anew_and_are_named(vitpose: ModelConfig) -> None:
    torch.manual_seed(3)
    before = build_single_frame(vitpose, POSETRACK).head.kernels.weight.detach().clone()
    weights = as_the_authors_have_it()
    torch.manual_seed(3)

    network, adoption = adopted(vitpose, translate(weights))

    kernels, published = network.head.kernels.weight.detach(), weights["keypoint_head.final_layer.weight"].flatten(1)
    assert adoption.new_joints == ("head_bottom", "head_top")
    assert torch.equal(kernels[1:3], before[1:3])
    assert torch.equal(kernels[0], published[0])
    assert torch.equal(kernels[3:], published[3:])  # from the ears on, both have the same order


def test_positions_are_resized_to_another_input_and_told(vitpose: ModelConfig) -> None:
    _, adoption = adopted(vitpose, translate(as_the_authors_have_it(places=192)))

    assert adoption.resized == ("backbone.body.pos_embed: (1, 192, 384) to (1, 12, 384)",)


def test_vitpose_in_a_transformer_of_timm_is_refused(vitpose: ModelConfig) -> None:
    other = replace(vitpose, backbone=replace(vitpose.backbone, name="vit_small_patch16_224"))

    with pytest.raises(ValueError, match=r"backbone\.name: got vit_small_patch16_224, wanted vitpose_small"):
        adopted(other, translate(as_the_authors_have_it()))


def test_a_part_is_never_taken_silently(vitpose: ModelConfig) -> None:
    weights = as_the_authors_have_it()
    del weights["backbone.blocks.3.mlp.fc1.weight"]
    weights["backbone.extra.weight"] = torch.zeros(1)
    weights["keypoint_head.final_layer.bias"] = torch.zeros(17)
    weights["backbone.last_norm.bias"] = torch.zeros(2)
    network = build_single_frame(vitpose, POSETRACK)
    before = {name: value.clone() for name, value in network.state_dict().items()}

    with pytest.raises(ValueError, match=r"not published: backbone\.body\.blocks \(1\)") as caught:
        adopt(network, translate(weights), config=vitpose, skeleton=POSETRACK, joints=COCO, new=())

    assert "published, and not in the network: backbone.extra.weight (1)" in str(caught.value)
    assert "published in another shape: backbone.body.norm (1)" in str(caught.value)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_what_may_start_anew_is_left_as_it_was(vitpose: ModelConfig) -> None:
    config = replace(vitpose, head=HeadConfig(width=16, norm="group", sharing="visual"))
    torch.manual_seed(3)
    before = build_single_frame(config, POSETRACK).head.state_dict()
    torch.manual_seed(3)

    network, adoption = adopted(config, translate(as_the_authors_have_it()), new=("head",))

    assert all(torch.equal(value, before[name]) for name, value in network.head.state_dict().items())
    assert set(adoption.missing) == {f"head.{name}" for name in before}
    assert adoption.joints == ()
    assert "head.upsample.0.weight" in adoption.left_out


def test_experts_are_refused() -> None:
    with pytest.raises(ValueError, match="got ViTPose\\+ with its experts"):
        translate({"backbone.blocks.0.mlp.experts.0.weight": torch.zeros(1)})


def test_another_number_of_channels_than_joints_is_refused(vitpose: ModelConfig) -> None:
    weights = as_the_authors_have_it()
    weights["keypoint_head.final_layer.weight"] = torch.zeros(14, 256, 1, 1)

    with pytest.raises(ValueError, match="got 14 published channels, wanted the 17 joints"):
        adopted(vitpose, translate(weights))


def timm_weights(name: str, **options: Any) -> Weights:
    torch.manual_seed(5)
    network: nn.Module = timm.create_model(name, pretrained=False, **options)
    return dict(network.state_dict())


@pytest.mark.parametrize(
    ("name", "stride", "width"),
    [("test_vit", 16, 64), ("mobilenetv3_small_050", 8, 24), ("convnext_atto", 8, 24), ("resnet18", 8, 24)],
)
def test_a_checkpoint_of_timm_fills_its_backbone(config: ModelConfig, name: str, stride: int, width: int) -> None:
    config = replace(config, backbone=BackboneConfig(name=name, stride=stride, width=width, drop_path=0.0))
    weights = timm_weights(name)

    new = ("head", "backbone.project", "backbone.norm")
    network, adoption = adopted(config, translate(weights), new=new, pixels=IMAGENET)

    body = {key.replace(".", "_"): value for key, value in network.backbone.body.state_dict().items()}
    same = [
        torch.equal(body[key.replace(".", "_")], value)
        for key, value in weights.items()
        if key.replace(".", "_") in body
    ]
    assert adoption.family == "timm"
    assert same.count(False) == (1 if name == "test_vit" else 0)  # the positions
    assert len(adoption.resized) == (1 if name == "test_vit" else 0)
    assert not [key for key in adoption.missing if key.startswith("backbone.body")]
    assert {key.removeprefix("backbone.body.").split(".")[0] for key in adoption.left_out} <= {
        "head", "fc", "classifier", "conv_head", "norm_head", "fc_norm",
    }  # fmt: skip


def test_the_encoder_of_a_masked_autoencoder_is_taken_without_its_decoder(config: ModelConfig) -> None:
    config = replace(config, backbone=BackboneConfig(name="test_vit", stride=16, width=64, drop_path=0.0))
    weights = timm_weights("test_vit", num_classes=0)
    weights |= {"mask_token": torch.zeros(1, 1, 8), "decoder_blocks.0.norm1.weight": torch.zeros(8)}

    _, adoption = adopted(config, translate(weights), new=("head",))

    assert adoption.left_out == ("backbone.body.decoder_blocks.0.norm1.weight", "backbone.body.mask_token")


def hrnet_weights(*, prefix: str, readout: str) -> Weights:
    """HRNet for poses: timm's stages without what its classifier needs, one branch at the end, and a readout."""
    spare = (
        "incre_modules",
        "downsamp_modules",
        "final_layer",
        "classifier",
        *(f"stage4.2.fuse_layers.{i}" for i in (1, 2, 3)),
    )
    body = timm_weights("hrnet_w18_small")
    kept = {f"{prefix}{name}": value for name, value in body.items() if not name.startswith(spare)}
    return kept | {f"{readout}final_layer.weight": torch.zeros(17, 16, 1, 1)}


@pytest.mark.parametrize(("prefix", "readout"), [("", ""), ("backbone.", "keypoint_head."), ("backbone.", "head.")])
def test_an_hrnet_for_poses_fills_the_branches_and_its_readout_is_left_out(
    config: ModelConfig, prefix: str, readout: str
) -> None:
    config = replace(config, backbone=BackboneConfig(name="hrnet_w18_small", stride=8, width=24, drop_path=0.0))
    weights = hrnet_weights(prefix=prefix, readout=readout)

    with pytest.raises(ValueError, match=r"not published: .*backbone\.body\.incre_modules"):
        adopted(config, translate(weights), new=("head", "backbone.project", "backbone.norm"))

    new = ("head", "backbone.project", "backbone.norm", "backbone.body.incre_modules")
    network, adoption = adopted(config, translate(weights), new=new)
    assert adoption.family == "HRNet"
    assert adoption.left_out == (f"{readout}final_layer.weight",)
    assert torch.equal(network.backbone.body.conv1.weight, weights[f"{prefix}conv1.weight"])


def test_a_state_dict_is_found_in_what_scripts_save_around_it(tmp_path: Path) -> None:
    inner = OrderedDict({"module.fc.weight": torch.ones(2)})
    torch.save({"epoch": 3, "state_dict": inner, "meta": {"config": "text"}}, tmp_path / "a.pth")
    save_file({"fc.weight": torch.ones(2)}, tmp_path / "b.safetensors")

    for name in ("a.pth", "b.safetensors"):
        assert {key: value.tolist() for key, value in read(tmp_path / name).items()} == {"fc.weight": [1, 1]}


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.ones(1)}, "made": np.random.default_rng(0)}, tmp_path / "a.pth")

    with pytest.raises(ValueError, match="only running foreign code would load"):
        read(tmp_path / "a.pth")


def test_a_file_without_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "a.pth")

    with pytest.raises(ValueError, match="got no tensors, wanted a state dict"):
        read(tmp_path / "a.pth")
