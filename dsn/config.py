"""The `model` section of params.yaml: everything needed to build a network again, and saved beside its weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal, TypeVar, get_type_hints

Config = TypeVar("Config")


def check(key: str, got: object, *, wanted: str, holds: bool) -> None:
    """Raise ValueError "key: got X, wanted Y" unless the condition `holds`."""
    if not holds:
        raise ValueError(f"{key}: got {got}, wanted {wanted}")


def is_power_of_two(number: int) -> bool:
    """Whether a factor can be reached by doubling 1."""
    return number > 0 and number.bit_count() == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipConfig:
    """Which frames stand around the keyframe."""

    offsets: tuple[int, ...]
    """S supporting frames, as frames after (or, negative, before) the keyframe, in ascending order."""

    def __post_init__(self) -> None:
        """Refuse the keyframe among its own supporting frames, and any other order than time's."""
        ordered = all(left < right for left, right in zip(self.offsets, self.offsets[1:], strict=False))
        check("clip.offsets", self.offsets, wanted="at least one", holds=len(self.offsets) > 0)
        check("clip.offsets", self.offsets, wanted="ascending offsets, none twice", holds=ordered)
        check("clip.offsets", self.offsets, wanted="no 0: that is the keyframe", holds=0 not in self.offsets)

    @property
    def keyframe_position(self) -> int:
        """Where the keyframe stands among the S + 1 frames of a clip in time's order."""
        return sum(offset < 0 for offset in self.offsets)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatmapConfig:
    """The maps that are learned."""

    stride: int
    """Input pixels per heatmap cell."""
    sigma: float
    """Standard deviation of a target's Gaussian, in cells."""
    encoding: Literal["udp", "gaussian"]
    """How keypoints become targets. `udp`: without bias. `gaussian`: around the nearest cell, as published."""
    decoding: Literal["newton", "dark", "quarter"]
    """How a map's maximum is refined. `newton`: by one Newton step on its logarithm. `dark`: the same on the smoothed
    map. `quarter`: by a quarter of a cell towards the higher neighbour."""

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        check("heatmap.stride", self.stride, wanted="a power of two", holds=is_power_of_two(self.stride))
        check("heatmap.sigma", self.sigma, wanted="more than 0", holds=self.sigma > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneConfig:
    """The image network, shared by all frames, and the token grid it gives."""

    name: str
    """A timm model: a plain ViT, or a hierarchical or convolutional network with timm's feature contract."""
    stride: int
    """Input pixels per token. A ViT's patch size; for others any level's reduction, reached by coarser levels too."""
    width: int
    """Channels of a token; a plain ViT of this very width is not projected."""

    def __post_init__(self) -> None:
        """Refuse sizes that are none; timm itself refuses unknown names."""
        check("backbone.stride", self.stride, wanted="a power of two", holds=is_power_of_two(self.stride))
        check("backbone.width", self.width, wanted="at least 1", holds=self.width >= 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """Space-time attention over the supporting frames, on a grid and a width of its own."""

    stride: int
    """Input pixels per encoder token: the backbone's stride, or that times a power of two."""
    width: int
    """Channels of an encoder token."""
    heads: int
    """Attention heads of every block."""
    mlp_ratio: float
    """Hidden width of a block's MLP, as a multiple of its width."""
    joint_blocks: int
    """Blocks whose tokens attend to all tokens of all supporting frames; they come first."""
    divided_blocks: int
    """Blocks whose tokens attend along time, then within their frame."""
    temporal_positions: Literal["learnable", "sincos", "none"]
    """How a token is told its frame."""

    def __post_init__(self) -> None:
        """Refuse widths that heads and sine-cosine positions cannot share."""
        divisor = math.lcm(4, self.heads) if self.heads > 0 else 0
        check("encoder.heads", self.heads, wanted="at least 1", holds=self.heads >= 1)
        wanted = f"a multiple of {divisor} (4 for sine-cosine positions, {self.heads} for the heads)"
        check("encoder.width", self.width, wanted=wanted, holds=self.width > 0 and self.width % divisor == 0)
        check("encoder.stride", self.stride, wanted="a power of two", holds=is_power_of_two(self.stride))
        check("encoder.mlp_ratio", self.mlp_ratio, wanted="more than 0", holds=self.mlp_ratio > 0)
        check("encoder.joint_blocks", self.joint_blocks, wanted="0 or more", holds=self.joint_blocks >= 0)
        check("encoder.divided_blocks", self.divided_blocks, wanted="0 or more", holds=self.divided_blocks >= 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalConfig:
    """The temporal stream behind the encoder: keypoint tokens and context tokens read the supporting frames."""

    blocks: int
    """Blocks in which keypoint tokens, context tokens and the supporting frames' tokens meet."""
    context_patch: int
    """Side of the square that one context token reconstructs, in input pixels of the keyframe."""

    def __post_init__(self) -> None:
        """Refuse tokens that would never read a frame."""
        check("temporal.blocks", self.blocks, wanted="at least 1", holds=self.blocks >= 1)
        check("temporal.context_patch", self.context_patch, wanted="at least 1", holds=self.context_patch >= 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisualConfig:
    """The visual stream: keyframe tokens attend to the time-mean of the supporting frames' encoder tokens."""

    heads: int
    """Attention heads."""
    mlp_ratio: float
    """Hidden width of its MLP, as a multiple of the backbone's width."""

    def __post_init__(self) -> None:
        """Refuse sizes that are none."""
        check("visual.heads", self.heads, wanted="at least 1", holds=self.heads >= 1)
        check("visual.mlp_ratio", self.mlp_ratio, wanted="more than 0", holds=self.mlp_ratio > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionConfig:
    """How the two streams become the final heatmap."""

    mode: Literal["concat", "mean"]
    """`concat`: an MLP of both streams' features, added to the visual ones, read by the final head. `mean`: the average
    of the two streams' heatmaps; nothing is learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadConfig:
    """Readouts of a token grid as heatmaps."""

    width: int
    """Channels behind each deconvolution."""
    norm: Literal["group", "batch"]
    """Behind each deconvolution: GroupNorm and GELU, or BatchNorm and ReLU, as published heads have it."""

    def __post_init__(self) -> None:
        """Refuse widths that are none."""
        check("head.width", self.width, wanted="a multiple of 8", holds=self.width >= 8 and self.width % 8 == 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """The `model` section; with a skeleton it builds a network, single-frame or dual-stream."""

    input_size: tuple[int, int]
    """Height and width of a cropped frame, in pixels."""
    clip: ClipConfig
    """Supporting frames."""
    heatmap: HeatmapConfig
    """Learned maps."""
    backbone: BackboneConfig
    """Image network."""
    encoder: EncoderConfig
    """Space-time attention."""
    temporal: TemporalConfig
    """Temporal stream."""
    visual: VisualConfig
    """Visual stream."""
    fusion: FusionConfig
    """Both streams together."""
    head: HeadConfig
    """Heatmap readouts."""

    def __post_init__(self) -> None:
        """Refuse grids that do not tile the input or each other."""
        self._check_grids()
        width, heads = self.backbone.width, self.visual.heads
        wanted = f"a divisor of backbone.width ({width})"
        check("visual.heads", heads, wanted=wanted, holds=width % heads == 0)

    def _check_grids(self) -> None:
        backbone, encoder, heatmap = self.backbone.stride, self.encoder.stride, self.heatmap.stride
        wanted = f"a multiple of backbone.stride ({backbone})"
        check("encoder.stride", encoder, wanted=wanted, holds=encoder % backbone == 0)
        wanted = f"at least twice heatmap.stride ({heatmap})"
        check("backbone.stride", backbone, wanted=wanted, holds=backbone >= 2 * heatmap)
        for key, side in (("encoder.stride", encoder), ("temporal.context_patch", self.temporal.context_patch)):
            wanted = f"positive multiples of {key} ({side})"
            tiled = all(pixels > 0 and pixels % side == 0 for pixels in self.input_size)
            check("input_size", self.input_size, wanted=wanted, holds=tiled)

    def grid_size(self, stride: int) -> tuple[int, int]:
        """Height and width of the grid whose cells are `stride` input pixels wide."""
        height, width = self.input_size
        return height // stride, width // stride

    @property
    def heatmap_size(self) -> tuple[int, int]:
        """Height and width of a heatmap, in cells."""
        return self.grid_size(self.heatmap.stride)


def from_dict(values: Mapping[str, Any], into: type[Config]) -> Config:
    """The config dataclass whose `dataclasses.asdict` went through JSON.

    Raises:
        ValueError: a key is unknown or missing, or a value impossible; the message names it.
    """
    types = get_type_hints(into)
    names = {field.name for field in fields(into)}  # type: ignore[arg-type]  # `into` is a dataclass type
    if names != set(values):
        missing, unknown = sorted(names - set(values)), sorted(set(values) - names)
        raise ValueError(f"{into.__name__}: missing keys {missing}, unknown keys {unknown}")
    return into(**{name: _parse(values[name], types[name]) for name in names})


def _parse(value: Any, kind: Any) -> Any:
    """A JSON value as a field of type `kind` holds it: lists become tuples, objects config dataclasses."""
    if is_dataclass(kind):
        return from_dict(value, kind)  # type: ignore[arg-type]  # a type, not an instance
    return tuple(value) if isinstance(value, list) else value
