"""Backbones: any timm network, giving one grid of tokens a frame."""

from functools import cache
from typing import Any

import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

import dsn.vitpose  # noqa: F401  (makes its names known to timm)
from dsn.grid import to_tokens
from dsn.parts import BackboneConfig, is_power_of_two


class PlainBackbone(nn.Module):
    """A plain ViT: its patch tokens, without class and register tokens, are the grid.

    Patches whose side is no power of two, such as 14, tile no heatmap, and are built as large as the stride instead.
    """

    def __init__(self, config: BackboneConfig, *, input_size: tuple[int, int]) -> None:
        super().__init__()
        patch = _describe(config.name).patch_embed.patch_size[0]
        if patch != config.stride and is_power_of_two(patch):
            raise ValueError(f"backbone.stride: got {config.stride}, wanted {patch}: the patch size of {config.name}")
        resized = {} if patch == config.stride else {"patch_size": config.stride}
        options = {"img_size": input_size, **resized, **_drop_path(config)}
        self.body = _create(config.name, num_classes=0, global_pool="", **options)
        width = self.body.embed_dim
        self.project = nn.Identity() if width == config.width else nn.Linear(width, config.width)

    def forward(self, frames: Float[Tensor, "F 3 H W"]) -> Float[Tensor, "F N D"]:
        """Tokens of each frame, row by row."""
        tokens = self.body.forward_features(frames)[:, self.body.num_prefix_tokens :]
        projected: Tensor = self.project(tokens)
        return projected


class PyramidBackbone(nn.Module):
    """A hierarchical or convolutional network: its levels, projected, summed on the grid (FPN: Lin et al., 2017)."""

    def __init__(self, config: BackboneConfig, *, input_size: tuple[int, int]) -> None:
        super().__init__()
        contract = _describe(config.name, features_only=True)
        reductions = contract.feature_info.reduction()
        if config.stride not in reductions:
            raise ValueError(f"backbone.stride: got {config.stride}, wanted one of {reductions}, as {config.name} has")
        levels = tuple(index for index, stride in enumerate(reductions) if stride >= config.stride)
        size = {"img_size": input_size} if _takes(config.name, img_size=input_size) else {}
        body = _create(config.name, features_only=True, out_indices=levels, **size, **_drop_path(config))
        self.body = body.to(memory_format=torch.channels_last)
        self.has_channels_last = getattr(contract, "output_fmt", None) == "NHWC"
        self.grid_size = (input_size[0] // config.stride, input_size[1] // config.stride)
        channels = self.body.feature_info.channels()
        self.project = nn.ModuleList([nn.Conv2d(count, config.width, 1, bias=False) for count in channels])
        self.norm = nn.LayerNorm(config.width)

    def forward(self, frames: Float[Tensor, "F 3 H W"]) -> Float[Tensor, "F N D"]:
        """Tokens of each frame, row by row; convolutions with channels last are nearly twice as fast on a CPU."""
        levels = self.body(frames.contiguous(memory_format=torch.channels_last))
        if self.has_channels_last:
            levels = [level.permute(0, 3, 1, 2) for level in levels]
        placed = [self._place(project(level)) for project, level in zip(self.project, levels, strict=True)]
        normed: Tensor = self.norm(to_tokens(torch.stack(placed).sum(dim=0)))
        return normed

    def _place(self, level: Float[Tensor, "F D h w"]) -> Float[Tensor, "F D H W"]:
        """One level on the token grid."""
        if level.shape[-2:] == self.grid_size:
            return level
        return functional.interpolate(level, self.grid_size, mode="bilinear", align_corners=False)


def _takes(name: str, **options: Any) -> bool:
    """Whether the network can be built with these options: windowed transformers take a size, convolutions do not."""
    try:
        _describe(name, **options)
    except TypeError:
        return False
    return True


def _is_plain(name: str) -> bool:
    """Whether it is a ViT of one grid, with tokens that are no patches before those that are."""
    network = _describe(name)
    grids = {level["reduction"] for level in getattr(network, "feature_info", [])}
    return hasattr(network, "num_prefix_tokens") and hasattr(network.patch_embed, "patch_size") and len(grids) <= 1


def _drop_path(config: BackboneConfig) -> dict[str, float]:
    """The option, where the share is not 0.

    Raises:
        ValueError: the network has no such branches.
    """
    option = {"drop_path_rate": config.drop_path}
    if config.drop_path and not _takes(config.name, **option):
        raise ValueError(f"backbone.drop_path: got {config.drop_path}, wanted 0: {config.name} drops no paths")
    return option if config.drop_path else {}


def _create(name: str, **options: Any) -> Any:
    """A randomly initialised timm network; what it has beyond `nn.Module` is timm's contract."""
    return timm.create_model(name, pretrained=False, **options)


@cache
def _describe(name: str, **options: Any) -> Any:
    """The same without memory for its weights, to be asked and never changed."""
    with torch.device("meta"):
        return _create(name, **options)


def build_backbone(
    config: BackboneConfig, *, input_size: tuple[int, int], checkpointing: bool
) -> PlainBackbone | PyramidBackbone:
    """The backbone, randomly initialised; with `checkpointing` it computes activations anew in the backward pass.

    Raises:
        ValueError: timm does not know the name, or the network has no such stride.
    """
    if not timm.is_model(config.name):
        raise ValueError(f"backbone.name: got {config.name}, wanted a model that timm {timm.__version__} knows")
    kind = PlainBackbone if _is_plain(config.name) else PyramidBackbone
    backbone = kind(config, input_size=input_size)
    if checkpointing:
        getattr(backbone.body, "model", backbone.body).set_grad_checkpointing(enable=True)
    return backbone


def freeze_batch_norm(network: nn.Module) -> None:
    """Make every BatchNorm use its stored statistics: those of a batch would carry the keyframe to other frames."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.SyncBatchNorm):
            module.eval()
