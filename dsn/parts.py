"""The parts of the `model` section: sizes and the switches of the method, each refused where it is impossible."""

import math
from dataclasses import dataclass
from typing import Literal


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
    drop_path: float
    """Largest share of residual branches left out in training; it grows from 0 with depth (stochastic depth)."""

    def __post_init__(self) -> None:
        """Refuse sizes that are none; timm itself refuses unknown names."""
        check("backbone.stride", self.stride, wanted="a power of two", holds=is_power_of_two(self.stride))
        check("backbone.width", self.width, wanted="at least 1", holds=self.width >= 1)
        check("backbone.drop_path", self.drop_path, wanted="0 or more, less than 1", holds=0 <= self.drop_path < 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskConfig:
    """What is hidden of the supporting frames in training, to be reconstructed (arXiv 2502.10616)."""

    kind: Literal["none", "tube", "frame"]
    """`tube`: the same places in every frame; `frame`: whole frames."""
    share: float
    """How much of the places or frames is hidden, at least one of them and never all."""

    def __post_init__(self) -> None:
        """Refuse to hide nothing or everything."""
        check("encoder.mask.share", self.share, wanted="more than 0, less than 1", holds=0 < self.share < 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """Space-time attention over the supporting frames, on a grid and a width of its own."""

    inputs: Literal["supporting", "all"]
    """`supporting`: the keyframe is never seen. `all`: it is taken for one more supporting frame; everything that the
    temporal stream answers has then seen it."""
    stride: int
    """Input pixels per encoder token: the backbone's stride, times or divided by a power of two."""
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
    mask: MaskConfig
    """Hidden tokens."""

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
    context: Literal["frames", "mean"]
    """What the learned tokens meet there: every frame's tokens, or a short sequence, their mean over time."""
    keypoint_tokens: bool
    """Whether there is a token a joint, and with it the keypoint readout."""
    keypoint_positions: bool
    """Whether keypoint tokens have learned positions as well."""
    restore: Literal["mean", "joints"]
    """How keypoint tokens come back to the grid: their mean is added at each place, or each place attends to them."""
    dense_readout: bool
    """Whether the keyframe's heatmaps are read from each supporting frame's tokens."""

    def __post_init__(self) -> None:
        """Refuse tokens that would never read a frame, and a stream that says nothing."""
        check("temporal.blocks", self.blocks, wanted="at least 1", holds=self.blocks >= 1)
        reads = self.keypoint_tokens or self.dense_readout
        wanted = "at least one: without a readout the stream answers nothing"
        check("temporal.keypoint_tokens, dense_readout", (False, False), wanted=wanted, holds=reads)
        wanted = "mean: there are no keypoint tokens to attend to"
        check("temporal.restore", self.restore, wanted=wanted, holds=self.keypoint_tokens or self.restore == "mean")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextConfig:
    """The context tokens, which reconstruct the keyframe in training; nothing reads them."""

    tokens: Literal["patches", "one", "none"]
    """`patches`: one token for each; `one`: a single one for all; `none`: nothing is reconstructed."""
    patch: int
    """Side of the square that is reconstructed at once, in input pixels."""
    target: Literal["pixels", "normalized_pixels", "features"]
    """`pixels`: as the backbone is shown them; `normalized_pixels`: of zero mean and unit variance in each patch (He et
    al., 2022); `features`: the backbone's own tokens, normalised, through which no gradient goes."""

    def __post_init__(self) -> None:
        """Refuse patches that are none."""
        check("context.patch", self.patch, wanted="at least 1", holds=self.patch >= 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisualConfig:
    """The visual stream: keyframe tokens attend to the supporting frames."""

    blocks: int
    """Cross-attention blocks; 0 leaves the keyframe's tokens as the backbone gives them."""
    source: Literal["encoder", "backbone"]
    """Whose tokens of the supporting frames are attended to."""
    context: Literal["mean", "frames"]
    """Their mean over time, or every frame's."""
    heads: int
    """Attention heads, here, in the interaction and in the fusion."""
    mlp_ratio: float
    """Hidden width of the MLPs there, as a multiple of the backbone's width."""

    def __post_init__(self) -> None:
        """Refuse sizes that are none."""
        check("visual.blocks", self.blocks, wanted="0 or more", holds=self.blocks >= 0)
        check("visual.heads", self.heads, wanted="at least 1", holds=self.heads >= 1)
        check("visual.mlp_ratio", self.mlp_ratio, wanted="more than 0", holds=self.mlp_ratio > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionConfig:
    """What the streams tell each other before fusion; their own readouts are taken before that."""

    mode: Literal["none", "to_visual", "to_temporal", "mutual"]
    """`to_visual`: visual features attend to temporal ones; `to_temporal`: the other way; `mutual`: both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionConfig:
    """How the two streams become the final heatmap."""

    mode: Literal["concat", "mean", "gated", "temporal_queries", "keypoint_queries", "temporal", "visual"]
    """`concat`: an MLP of both streams' features, added to the visual ones. `mean`: the average of the streams'
    heatmaps; nothing is learned. `gated`: of each joint, the temporal heatmap as far as a gate trusts it, else that of
    `concat`. `temporal_queries`: temporal features attend to visual ones and are read. `keypoint_queries`: keypoint
    tokens attend to visual features and are read with them. `temporal`, `visual`: one stream alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadConfig:
    """Readouts of a token grid as heatmaps."""

    width: int
    """Channels behind each deconvolution."""
    norm: Literal["group", "batch"]
    """Behind each deconvolution: GroupNorm and GELU, or BatchNorm and ReLU, as published heads have it."""
    sharing: Literal["none", "visual", "all"]
    """Which readouts share a head: none; the visual and the final one; all."""

    def __post_init__(self) -> None:
        """Refuse widths that are none."""
        check("head.width", self.width, wanted="a multiple of 8", holds=self.width >= 8 and self.width % 8 == 0)
