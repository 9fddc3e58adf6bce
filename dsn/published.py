"""Published weights, with their names translated to those of the single-frame network.

Names of three families are known: ViTPose's as its authors, mmpose 1.x and Hugging Face wrote them; HRNet's as its
authors, mmpose and timm have them; and those of any timm network, among them what MAE trained.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251  (only its name: nothing is unpickled but tensors)
from typing import Any, Literal

import torch
from safetensors.torch import load_file
from torch import Tensor

COCO = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
"""COCO's joints in the order of its channels, by which published networks answer."""

Names = tuple[tuple[str, str], ...]
"""Patterns of whole names, and what they become."""

AUTHORS: Names = (
    (r"backbone\.last_norm\.(.+)", r"backbone.body.norm.\1"),
    (r"backbone\.(pos_embed|(?:patch_embed|blocks)\..+)", r"backbone.body.\1"),
    (r"keypoint_head\.deconv_layers\.(.+)", r"head.upsample.\1"),
    (r"keypoint_head\.final_layer\.(.+)", r"head.kernels.\1"),
)
"""ViTPose, in its authors' repository (mmpose 0.x)."""

MMPOSE: Names = (
    (r"backbone\.ln1\.(.+)", r"backbone.body.norm.\1"),
    (r"backbone\.pos_embed", r"backbone.body.pos_embed"),
    (r"backbone\.patch_embed\.projection\.(.+)", r"backbone.body.patch_embed.proj.\1"),
    (r"backbone\.layers\.(\d+)\.ln([12])\.(.+)", r"backbone.body.blocks.\1.norm\2.\3"),
    (r"backbone\.layers\.(\d+)\.attn\.(.+)", r"backbone.body.blocks.\1.attn.\2"),
    (r"backbone\.layers\.(\d+)\.ffn\.layers\.0\.0\.(.+)", r"backbone.body.blocks.\1.mlp.fc1.\2"),
    (r"backbone\.layers\.(\d+)\.ffn\.layers\.1\.(.+)", r"backbone.body.blocks.\1.mlp.fc2.\2"),
    (r"head\.deconv_layers\.(.+)", r"head.upsample.\1"),
    (r"head\.final_layer\.(.+)", r"head.kernels.\1"),
)
"""ViTPose in mmpose 1.x."""

LAYER = r"backbone\.encoder\.layer\.(\d+)\."
HUGGING_FACE: Names = (
    (r"backbone\.layernorm\.(.+)", r"backbone.body.norm.\1"),
    (r"backbone\.embeddings\.position_embeddings", r"backbone.body.pos_embed"),
    (r"backbone\.embeddings\.patch_embeddings\.projection\.(.+)", r"backbone.body.patch_embed.proj.\1"),
    (LAYER + r"layernorm_before\.(.+)", r"backbone.body.blocks.\1.norm1.\2"),
    (LAYER + r"layernorm_after\.(.+)", r"backbone.body.blocks.\1.norm2.\2"),
    (LAYER + r"attention\.attention\.qkv\.(.+)", r"backbone.body.blocks.\1.attn.qkv.\2"),
    (LAYER + r"attention\.output\.dense\.(.+)", r"backbone.body.blocks.\1.attn.proj.\2"),
    (LAYER + r"mlp\.(.+)", r"backbone.body.blocks.\1.mlp.\2"),
    (r"head\.deconv1\.(.+)", r"head.upsample.0.\1"),
    (r"head\.batchnorm1\.(.+)", r"head.upsample.1.\1"),
    (r"head\.deconv2\.(.+)", r"head.upsample.3.\1"),
    (r"head\.batchnorm2\.(.+)", r"head.upsample.4.\1"),
    (r"head\.conv\.(.+)", r"head.kernels.\1"),
)
"""ViTPose in Hugging Face's transformers, once query, key and value are one."""

HRNET: Names = (
    (r"(?:backbone\.)?((?:conv|bn)[12]\..+|(?:layer1|transition\d|stage\d|incre_modules)\..+)", r"backbone.body.\1"),
)
"""HRNet; what others call otherwise is the prefix alone."""

TIMM: Names = ((r"(.+)", r"backbone.body.\1"),)
"""Networks of timm, and what MAE calls like them."""

SURPLUS = {
    "ViTPose": r"associate_keypoint_heads\..+",
    "HRNet": r"(keypoint_head|head|final_layer|classifier|downsamp_modules)\..+",
    "timm": r"(?!)",
}
"""By family, names that have no place in any single-frame network: readouts of other tasks, or of other grids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Published weights under the single-frame network's names."""

    family: Literal["ViTPose", "HRNet", "timm"]
    """Whose they are."""
    weights: dict[str, Tensor]
    """By name; the last layer's rows still follow the publisher's joints."""
    left_out: tuple[str, ...]
    """Published names that have no place in any single-frame network."""


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` or of a PyTorch file, from which nothing but tensors is unpickled.

    Raises:
        ValueError: the file holds anything else, or no tensors.
    """
    if path.suffix == ".safetensors":
        return dict(load_file(path))
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{path}: got objects that only running foreign code would load ({reason})") from None
    weights = {name.removeprefix("module."): value for name, value in _innermost(content).items()}
    tensors = {name: value for name, value in weights.items() if isinstance(value, Tensor)}
    if not tensors:
        raise ValueError(f"{path}: got no tensors, wanted a state dict, by itself or under state_dict or model")
    return tensors


def _innermost(content: Any) -> dict[str, Any]:
    """The state dict in what training scripts save around it; averaged weights come before raw ones."""
    for key in ("state_dict_ema", "model_ema", "state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            return dict(content[key])
    return dict(content) if isinstance(content, dict) else {}


def translate(published: Mapping[str, Tensor]) -> Published:
    """The same tensors under the single-frame network's names.

    Raises:
        ValueError: they are of a network that cannot be built here.
    """
    if any(".mlp.experts." in name for name in published):
        raise ValueError("got ViTPose+ with its experts, wanted ViTPose: their tool splits one model off for each task")
    if "backbone.encoder.layer.0.layernorm_before.weight" in published:
        return _translate(_with_joined_attention(published), "ViTPose", names=HUGGING_FACE)
    if "backbone.layers.0.ln1.weight" in published:
        return _translate(published, "ViTPose", names=MMPOSE)
    if "backbone.last_norm.weight" in published:
        return _translate(published, "ViTPose", names=AUTHORS)
    if any(re.fullmatch(r"(backbone\.)?stage2\.0\.branches\.0\.0\.conv1\.weight", name) for name in published):
        return _translate(published, "HRNet", names=HRNET)
    return _translate(published, "timm", names=TIMM)


def _translate(
    published: Mapping[str, Tensor], family: Literal["ViTPose", "HRNet", "timm"], *, names: Names
) -> Published:
    left_out = tuple(name for name in published if re.fullmatch(SURPLUS[family], name))
    kept = {_renamed(name, names): value for name, value in published.items() if name not in left_out}
    return Published(family=family, weights=_reshaped(kept, family), left_out=left_out)


def _renamed(name: str, names: Names) -> str:
    """The name here; a name that is not known stays, so that it is missed later."""
    for pattern, replacement in names:
        match = re.fullmatch(pattern, name)
        if match:
            return match.expand(replacement)
    return name


def _reshaped(weights: dict[str, Tensor], family: str) -> dict[str, Tensor]:
    """Last layers as matrices; of ViTPose, one table of positions, as its two are always added to each other."""
    last, table = weights.get("head.kernels.weight"), weights.get("backbone.body.pos_embed")
    if last is not None and last.shape[2:] == (1, 1):
        weights["head.kernels.weight"] = last.flatten(1)
    if family == "ViTPose" and table is not None and grid_of(table.shape[1]) is None:
        weights["backbone.body.pos_embed"] = table[:, 1:] + table[:, :1]
    return weights


def grid_of(count: int) -> tuple[int, int] | None:
    """Height and width of the grid that `count` positions make, square or four by three; None where they make none."""
    for height, width in ((1, 1), (4, 3)):
        side = round((count / (height * width)) ** 0.5)
        if side**2 * height * width == count:
            return side * height, side * width
    return None


def _with_joined_attention(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Query, key and value of each layer as the one matrix that timm has."""
    joined = {name: value for name, value in published.items() if not re.search(r"\.(query|key|value)\.", name)}
    for name in published:
        if ".attention.query." in name:
            parts = [published[name.replace(".query.", f".{part}.")] for part in ("query", "key", "value")]
            joined[name.replace(".query.", ".qkv.")] = torch.cat(parts)
    return joined
