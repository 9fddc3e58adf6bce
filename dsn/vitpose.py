"""ViTPose's backbones (Xu et al., 2022), which timm then knows as `vitpose_small`, `_base`, `_large` and `_huge`.

They differ from timm's transformers of the same widths, so that published weights would give other numbers there: there
is no class token, patches lie two pixels farther up and left, and the small one has twelve heads.
"""

from typing import Any

from timm.layers.patch_embed import PatchEmbed
from timm.models import register_model
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor
from torch.nn import functional

SHIFT = 2
"""Pixels by which patches lie farther up and left than a grid from the corner would have them."""
NAMES = {384: "vitpose_small", 768: "vitpose_base", 1024: "vitpose_large", 1280: "vitpose_huge"}
"""The networks by their width, which no two share."""


class ShiftedPatches(PatchEmbed):
    """Patches of the image moved down and right by `SHIFT`: zeros come in, and the last pixels are not looked at."""

    def forward(self, frames: Tensor) -> Tensor:
        """Patch tokens of (F, 3, H, W) frames."""
        moved = functional.pad(frames, (SHIFT, -SHIFT, SHIFT, -SHIFT))
        tokens: Tensor = super().forward(moved)  # type: ignore[no-untyped-call]
        return tokens


def _build(width: int, *, depth: int, heads: int, options: dict[str, Any]) -> VisionTransformer:
    own = {"global_pool": ""} | {name: value for name, value in options.items() if name not in NOT_OURS}
    return VisionTransformer(
        embed_dim=width, depth=depth, num_heads=heads, class_token=False, embed_layer=ShiftedPatches, **own
    )


NOT_OURS = ("pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir")
"""What timm tells every network beside its options: where weights are downloaded from, which these have none of."""


@register_model
def vitpose_small(**options: Any) -> VisionTransformer:
    """22 million parameters; twelve heads, where timm's small transformer has six."""
    return _build(384, depth=12, heads=12, options=options)


@register_model
def vitpose_base(**options: Any) -> VisionTransformer:
    """86 million parameters."""
    return _build(768, depth=12, heads=12, options=options)


@register_model
def vitpose_large(**options: Any) -> VisionTransformer:
    """303 million parameters."""
    return _build(1024, depth=24, heads=16, options=options)


@register_model
def vitpose_huge(**options: Any) -> VisionTransformer:
    """631 million parameters."""
    return _build(1280, depth=32, heads=16, options=options)
