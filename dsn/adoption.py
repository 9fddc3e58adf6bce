"""Taking over published weights: all that fit, by name and shape, with a report; never a part of them silently."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import timm
import torch
from timm.layers.pos_embed import resample_abs_pos_embed
from torch import Tensor

from dsn.config import ModelConfig
from dsn.network import SingleFrame
from dsn.pixels import PixelScale
from dsn.published import Published, grid_of
from dsn.rescaling import published_scale, rescale
from dsn.skeleton import Skeleton
from dsn.vitpose import NAMES

POSITIONS = "backbone.body.pos_embed"
LAST = ("head.kernels.weight", "head.kernels.bias")
"""The last layer, with a row for each joint."""
PRETRAINING = ("decoder", "mask_token")
"""What masked autoencoders have beside the encoder."""
COUNTERS = "num_batches_tracked"
"""A buffer of BatchNorm that old files lack and nothing here reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What became of published weights."""

    family: str
    """Whose they are."""
    matched: tuple[str, ...]
    """The network's weights that were taken over."""
    resized: tuple[str, ...]
    """Those of them that were interpolated to the network's input size, with both shapes."""
    missing: tuple[str, ...]
    """The network's weights that keep their initial values."""
    left_out: tuple[str, ...]
    """Published weights that the network has no place for."""
    joints: tuple[str, ...]
    """Joints whose row of the last layer was taken over."""
    new_joints: tuple[str, ...]
    """Joints that the publisher does not know: their rows keep their initial values."""
    pixels: PixelScale
    """Those that the weights were trained on; the first layer was changed where they are not the network's."""


def adopt(
    network: SingleFrame,
    published: Published,
    *,
    config: ModelConfig,
    skeleton: Skeleton,
    joints: Sequence[str],
    new: Sequence[str],
    pixels: PixelScale | None = None,
) -> Adoption:
    """Put published weights into `network`, all that it has or none.

    Args:
        network: takes the weights.
        published: what `dsn.published.translate` gave.
        config: what the network was built from.
        skeleton: whose joints the network's channels are.
        joints: the publisher's, in the order of its channels.
        new: names, or beginnings of names, of weights that are to keep their initial values.
        pixels: those that the weights were trained on; None: what `dsn.rescaling.published_scale` finds.

    Raises:
        ValueError: the network is another than the published one, has weights that are not published, or lacks some; or
            it is not known on what pixels they were trained, or those cannot be had.
    """
    _refuse_other_backbone(published, config)
    pixels = pixels or published_scale(published, name=config.backbone.name)
    own = network.state_dict()
    given = _flattened(published.weights, own)
    left_out = set(published.left_out) | _surplus(given, own, config=config) | _below(given, new)
    given = {name: value for name, value in given.items() if name not in left_out}
    resized = _resize_positions(given, own, config=config)
    taken = _map_joints(given, own, skeleton=skeleton, joints=joints)
    missing = {name for name in own if name not in given and not name.endswith(COUNTERS)}
    _refuse_misfit(given, own, missing=missing - _below(own, new))
    network.load_state_dict(own | rescale(given, pixels, body=network.backbone.body))
    return Adoption(
        family=published.family,
        matched=tuple(sorted(given)),
        resized=tuple(resized),
        missing=tuple(sorted(missing)),
        left_out=tuple(sorted(left_out)),
        joints=taken,
        new_joints=tuple(joint for joint in skeleton.joints if taken and joint not in taken),
        pixels=pixels,
    )


def _refuse_other_backbone(published: Published, config: ModelConfig) -> None:
    """Shapes alone do not tell ViTPose's networks from timm's, which would give other numbers."""
    if published.family == "ViTPose":
        width = published.weights["backbone.body.patch_embed.proj.weight"].shape[0]
        if config.backbone.name != NAMES.get(width):
            raise ValueError(f"backbone.name: got {config.backbone.name}, wanted {NAMES.get(width)}, as published")


def _flattened(given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names as timm's feature extractors have them, which write `stages_0` for `stages.0`."""
    names = {name.replace(".", "_"): name for name in own}
    return {names.get(name.replace(".", "_"), name): value for name, value in given.items()}


def _surplus(given: Mapping[str, Tensor], own: Mapping[str, Tensor], *, config: ModelConfig) -> set[str]:
    """Weights of a classifier, or of a pretraining task: the whole timm network has them, its features have not."""
    with torch.device("meta"):
        whole = timm.create_model(config.backbone.name, pretrained=False)
    known = {f"backbone.body.{name}" for name in whole.state_dict()}
    spare = tuple(f"backbone.body.{name}" for name in PRETRAINING)
    return {name for name in given if name not in own and (name in known or name.startswith(spare))}


def _below(names: Mapping[str, Tensor], prefixes: Sequence[str]) -> set[str]:
    return {name for name in names for prefix in prefixes if name == prefix or name.startswith(f"{prefix}.")}


def _resize_positions(given: dict[str, Tensor], own: Mapping[str, Tensor], *, config: ModelConfig) -> list[str]:
    """Interpolate the table of positions to the network's grid; says which shapes it had."""
    table, wanted = given.get(POSITIONS), own.get(POSITIONS)
    if table is None or wanted is None or table.shape == wanted.shape:
        return []
    size = config.grid_size(config.backbone.stride)
    prefix = wanted.shape[1] - size[0] * size[1]
    grid = grid_of(table.shape[1] - prefix)
    if grid is None:
        return []
    given[POSITIONS] = resample_abs_pos_embed(table, list(size), old_size=list(grid), num_prefix_tokens=prefix)
    return [f"{POSITIONS}: {tuple(table.shape)} to {tuple(wanted.shape)}"]


def _map_joints(
    given: dict[str, Tensor], own: Mapping[str, Tensor], *, skeleton: Skeleton, joints: Sequence[str]
) -> tuple[str, ...]:
    """Order the last layer's rows as the skeleton has its joints; says which joints were taken over."""
    if LAST[0] not in given:
        return ()
    rows = len(given[LAST[0]])
    if rows != len(joints):
        raise ValueError(f"head.kernels: got {rows} published channels, wanted the {len(joints)} joints they stand for")
    places = {joint: joints.index(joint) for joint in skeleton.joints if joint in joints}
    for name in LAST:
        given[name] = torch.stack(
            [
                given[name][places[joint]] if joint in places else own[name][channel]
                for channel, joint in enumerate(skeleton.joints)
            ]
        )
    return tuple(places)


def _refuse_misfit(given: Mapping[str, Tensor], own: Mapping[str, Tensor], *, missing: set[str]) -> None:
    reshaped = {name for name, value in given.items() if name in own and value.shape != own[name].shape}
    faults = {
        "not published": missing,
        "published, and not in the network": set(given) - set(own),
        "published in another shape": reshaped,
    }
    if any(faults.values()):
        told = "; ".join(f"{what}: {_grouped(names)}" for what, names in faults.items() if names)
        raise ValueError(f"{told}; name those that may start anew")


def _grouped(names: set[str]) -> str:
    """Names by their beginnings, each with how many there are."""
    counts = Counter(".".join(name.split(".")[:3]) for name in sorted(names))
    return ", ".join(f"{name} ({count})" for name, count in counts.items())
