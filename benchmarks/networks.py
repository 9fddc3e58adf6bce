"""The networks that are measured: `v3_2` with a timm transformer at 256 x 192, built without reading params.yaml.

So they can be built on a machine that has torch and timm, and neither YAML nor pydantic.
"""

from typing import Any

from dsn.config import ModelConfig, from_dict

BACKBONES = {
    "vit_tiny_patch16_224": (192, 3),
    "vit_small_patch16_224": (384, 6),
    "vit_base_patch16_224": (768, 12),
    "vit_large_patch16_224": (1024, 16),
}
"""Width and heads of each."""


def v3_2(backbone: str, *, checkpointing: bool) -> ModelConfig:
    """The network on clips of five frames, with an encoder 192 wide."""
    return from_dict(v3_2_values(backbone, checkpointing=checkpointing), ModelConfig)


def v3_2_values(backbone: str, *, checkpointing: bool) -> dict[str, Any]:
    """Its `model` section."""
    width, heads = BACKBONES[backbone]
    return {
        "input_size": [256, 192],
        "clip": {"offsets": [-2, -1, 1, 2]},
        "heatmap": {"stride": 4, "sigma": 2.0, "encoding": "udp", "decoding": "newton"},
        "backbone": {"name": backbone, "stride": 16, "width": width, "drop_path": 0.0},
        "encoder": {
            "inputs": "supporting",
            "stride": 16,
            "width": 192,
            "heads": 6,
            "mlp_ratio": 2.0,
            "joint_blocks": 1,
            "divided_blocks": 1,
            "temporal_positions": "learnable",
            "mask": {"kind": "none", "share": 0.5},
        },
        "temporal": {
            "blocks": 1,
            "context": "frames",
            "keypoint_tokens": True,
            "keypoint_positions": True,
            "restore": "mean",
            "dense_readout": True,
        },
        "context": {"tokens": "patches", "patch": 16, "target": "pixels"},
        "visual": {"blocks": 1, "source": "encoder", "context": "mean", "heads": heads, "mlp_ratio": 2.0},
        "interaction": {"mode": "none"},
        "fusion": {"mode": "concat"},
        "head": {"width": 256, "norm": "group", "sharing": "visual"},
        "init": "torch",
        "checkpointing": checkpointing,
    }
