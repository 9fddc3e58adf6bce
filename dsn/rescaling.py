"""Published weights that know pixels of another mean and deviation, made to see those of `dsn.pixels`.

Networks here are always fed with ImageNet's normalisation. A plain ViT was often published for another, and its
patches have no padding, so the difference goes into the patches' own weights without a rest.
"""

from collections.abc import Mapping
from typing import Any

import timm
from timm.layers.patch_embed import PatchEmbed
from torch import Tensor, nn

from dsn.pixels import IMAGENET, PixelScale
from dsn.published import Published

WEIGHT, BIAS = "backbone.body.patch_embed.proj.weight", "backbone.body.patch_embed.proj.bias"
DECODER = "backbone.body.decoder"
"""Only MAE's own files have one."""


def published_scale(published: Published, *, name: str) -> PixelScale:
    """What pixels the weights were trained on: ViTPose's, HRNet's and MAE's on ImageNet's, timm's on what timm says.

    Args:
        published: the weights.
        name: timm's of their network, with or without the tag of its weights.

    Raises:
        ValueError: timm publishes weights of this network for pixels of several scales.
    """
    if published.family != "timm" or any(weight.startswith(DECODER) for weight in published.weights):
        return IMAGENET
    tags: dict[PixelScale, list[str]] = {}
    for known in timm.list_models([name, f"{name}.*"], pretrained=True):
        config: Any = timm.get_pretrained_cfg(known)
        tags.setdefault(PixelScale(mean=config.mean, std=config.std), []).append(known.partition(".")[2])
    if len(tags) > 1:
        told = "; ".join(f"{scale.told} ({', '.join(found)})" for scale, found in tags.items())
        raise ValueError(f"got weights of {name}, which are published for pixels of {told}; say which mean and std")
    return next(iter(tags), IMAGENET)


def rescale(given: Mapping[str, Tensor], scale: PixelScale, *, body: nn.Module) -> dict[str, Tensor]:
    """Weights under which pixels of ImageNet's scale give what pixels of `scale` gave; all others as they are.

    Args:
        given: weights by the network's names.
        scale: the pixels that they were trained on.
        body: the backbone's timm network.

    Raises:
        ValueError: the scale is another, and the first layer is not the patches of a plain ViT: at a padded border,
            where zeros come in, the two scales differ.
    """
    if scale == IMAGENET:
        return dict(given)
    patches = getattr(body, "patch_embed", None)
    if type(patches) is not PatchEmbed or patches.proj.bias is None:
        raise ValueError(
            f"got weights for pixels of {scale.told}, wanted {IMAGENET.told}: "
            "only the patches of a plain ViT, which have no padding and a bias, can be moved to others"
        )
    if not {WEIGHT, BIAS} <= given.keys():  # they start anew, and know no pixels
        return dict(given)
    weight, bias = given[WEIGHT].double(), given[BIAS].double()
    mean, std = (weight.new_tensor(values)[:, None, None] for values in (scale.mean, scale.std))
    our_mean, our_std = (weight.new_tensor(values)[:, None, None] for values in (IMAGENET.mean, IMAGENET.std))
    moved = bias + (weight * ((our_mean - mean) / std)).sum(dim=(1, 2, 3))
    return {
        **given,
        WEIGHT: (weight * (our_std / std)).to(given[WEIGHT].dtype),
        BIAS: moved.to(given[BIAS].dtype),
    }
