"""ViTPose-S with random weights under its published names, and what its authors compute with them."""

import torch
from torch import Tensor
from torch.nn import functional

Weights = dict[str, Tensor]
WIDTH, LAYERS, HEADS = 384, 12, 12


def randoms(shapes: dict[str, tuple[int, ...]]) -> Weights:
    generator = torch.Generator().manual_seed(1)
    made = {name: 0.05 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return {name: value.abs() + 0.5 if name.endswith("running_var") else value for name, value in made.items()}


def as_the_authors_have_it(*, places: int = 12) -> Weights:
    """ViTPose-S by its authors' names and shapes."""
    shapes: dict[str, tuple[int, ...]] = {
        "backbone.pos_embed": (1, places + 1, WIDTH),
        "backbone.patch_embed.proj.weight": (WIDTH, 3, 16, 16),
        "backbone.patch_embed.proj.bias": (WIDTH,),
        "backbone.last_norm.weight": (WIDTH,),
        "backbone.last_norm.bias": (WIDTH,),
        "keypoint_head.deconv_layers.0.weight": (WIDTH, 256, 4, 4),
        "keypoint_head.deconv_layers.3.weight": (256, 256, 4, 4),
        "keypoint_head.final_layer.weight": (17, 256, 1, 1),
        "keypoint_head.final_layer.bias": (17,),
    }
    for layer in range(LAYERS):
        linear = {"attn.qkv": (3, 1), "attn.proj": (1, 1), "mlp.fc1": (4, 1), "mlp.fc2": (1, 4)}
        for name, (wide, deep) in linear.items():
            shapes[f"backbone.blocks.{layer}.{name}.weight"] = (wide * WIDTH, deep * WIDTH)
            shapes[f"backbone.blocks.{layer}.{name}.bias"] = (wide * WIDTH,)
        for name in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"):
            shapes[f"backbone.blocks.{layer}.{name}"] = (WIDTH,)
    for norm in (1, 4):
        for name in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"keypoint_head.deconv_layers.{norm}.{name}"] = (256,)
    return randoms(shapes)


def as_hugging_face_has_it(authors: Weights) -> Weights:
    """The same under the names of the transformers library."""
    layer = {
        "norm1": "layernorm_before", "norm2": "layernorm_after", "attn.proj": "attention.output.dense",
        "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2",
    }  # fmt: skip
    outer = {
        "backbone.patch_embed.proj": "backbone.embeddings.patch_embeddings.projection",
        "backbone.last_norm": "backbone.layernorm",
        "keypoint_head.deconv_layers.0": "head.deconv1",
        "keypoint_head.deconv_layers.1": "head.batchnorm1",
        "keypoint_head.deconv_layers.3": "head.deconv2",
        "keypoint_head.deconv_layers.4": "head.batchnorm2",
        "keypoint_head.final_layer": "head.conv",
    }
    found = {"backbone.embeddings.position_embeddings": authors["backbone.pos_embed"]}
    for name, value in authors.items():
        module, _, kind = name.rpartition(".")
        if module in outer:
            found[f"{outer[module]}.{kind}"] = value
        elif module.endswith("attn.qkv"):
            number = module.split(".")[2]
            for part, rows in zip(("query", "key", "value"), value.chunk(3), strict=True):
                found[f"backbone.encoder.layer.{number}.attention.attention.{part}.{kind}"] = rows
        elif module.startswith("backbone.blocks."):
            number, inner = module.split(".", 3)[2:]
            found[f"backbone.encoder.layer.{number}.{layer[inner]}.{kind}"] = value
    return found


def as_mmpose_has_it(authors: Weights) -> Weights:
    """The same under the names of mmpose 1.x, which keeps one table of positions."""
    renamed = {
        "backbone.patch_embed.proj": "backbone.patch_embed.projection", "backbone.last_norm": "backbone.ln1",
        "keypoint_head": "head", "backbone.blocks": "backbone.layers", ".norm1": ".ln1", ".norm2": ".ln2",
        "mlp.fc1": "ffn.layers.0.0", "mlp.fc2": "ffn.layers.1",
    }  # fmt: skip
    found = {}
    for name, value in authors.items():
        for before, after in renamed.items():
            name = name.replace(before, after)  # noqa: PLW2901  (one replacement after the other)
        found[name] = value
    found["backbone.pos_embed"] = authors["backbone.pos_embed"][:, 1:] + authors["backbone.pos_embed"][:, :1]
    return found


def vitpose_heatmaps(weights: Weights, frames: Tensor) -> Tensor:
    """What ViTPose computes, written with its own names: the paper's network, and nothing of ours."""

    def norm(tokens: Tensor, name: str) -> Tensor:
        return functional.layer_norm(tokens, (WIDTH,), weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-6)

    def linear(tokens: Tensor, name: str) -> Tensor:
        return functional.linear(tokens, weights[f"{name}.weight"], weights[f"{name}.bias"])

    patches = functional.conv2d(
        frames, weights["backbone.patch_embed.proj.weight"], weights["backbone.patch_embed.proj.bias"], 16, 2
    )
    positions = weights["backbone.pos_embed"]
    tokens = patches.flatten(2).transpose(1, 2) + positions[:, 1:] + positions[:, :1]
    for layer in range(LAYERS):
        block = f"backbone.blocks.{layer}"
        joined = linear(norm(tokens, f"{block}.norm1"), f"{block}.attn.qkv")
        query, key, value = joined.reshape(*tokens.shape[:2], 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        weighed = (query @ key.transpose(-1, -2) / (WIDTH // HEADS) ** 0.5).softmax(dim=-1) @ value
        tokens = tokens + linear(weighed.transpose(1, 2).flatten(2), f"{block}.attn.proj")
        hidden = functional.gelu(linear(norm(tokens, f"{block}.norm2"), f"{block}.mlp.fc1"))
        tokens = tokens + linear(hidden, f"{block}.mlp.fc2")
    maps = norm(tokens, "backbone.last_norm").transpose(1, 2).reshape(len(frames), WIDTH, *patches.shape[2:])
    for step in (0, 3):
        maps = functional.conv_transpose2d(maps, weights[f"keypoint_head.deconv_layers.{step}.weight"], None, 2, 1)
        mean, spread, scale, shift = (weights[f"keypoint_head.deconv_layers.{step + 1}.{name}"] for name in BATCH_NORM)
        maps = functional.relu(functional.batch_norm(maps, mean, spread, scale, shift))
    return functional.conv2d(
        maps, weights["keypoint_head.final_layer.weight"], weights["keypoint_head.final_layer.bias"]
    )


BATCH_NORM = ("running_mean", "running_var", "weight", "bias")
