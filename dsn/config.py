"""The `model` section of params.yaml: everything needed to build a network again, and saved beside its weights."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal, TypeVar, get_type_hints

from dsn.parts import (
    BackboneConfig,
    ClipConfig,
    ContextConfig,
    EncoderConfig,
    FusionConfig,
    HeadConfig,
    HeatmapConfig,
    InteractionConfig,
    TemporalConfig,
    VisualConfig,
    check,
)

Config = TypeVar("Config")

INTERACTIVE = {
    "concat": ("to_visual", "to_temporal", "mutual"),
    "gated": ("to_visual", "to_temporal", "mutual"),
    "temporal_queries": ("to_visual", "to_temporal", "mutual"),
    "keypoint_queries": ("to_visual",),
}
"""By fusion, the interactions whose outcome it takes in; others would be trained by nothing."""


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
    context: ContextConfig
    """Reconstruction of the keyframe."""
    visual: VisualConfig
    """Visual stream."""
    interaction: InteractionConfig
    """Streams to each other."""
    fusion: FusionConfig
    """Both streams together."""
    head: HeadConfig
    """Heatmap readouts."""
    init: Literal["torch", "timm", "mae"]
    """How linear layers other than the backbone's start: as torch has them, by truncated normals of 0.02, or by
    Xavier's uniform, the two with zero biases."""
    checkpointing: bool
    """Whether training computes activations anew in the backward pass instead of keeping them: half as fast again at
    worst, for a fraction of the memory. It changes no number."""

    def __post_init__(self) -> None:
        """Refuse grids that do not tile the input or each other, and switches that contradict each other."""
        self._check_grids()
        self._check_switches()
        width, heads = self.backbone.width, self.visual.heads
        wanted = f"a divisor of backbone.width ({width})"
        check("visual.heads", heads, wanted=wanted, holds=width % heads == 0)

    def _check_grids(self) -> None:
        backbone, encoder, heatmap = self.backbone.stride, self.encoder.stride, self.heatmap.stride
        wanted = f"at least twice heatmap.stride ({heatmap})"
        check("backbone.stride", backbone, wanted=wanted, holds=backbone >= 2 * heatmap)
        sides = {"backbone.stride": backbone, "encoder.stride": encoder, "context.patch": self.context.patch}
        for key, side in sides.items():
            wanted = f"positive multiples of {key} ({side})"
            tiled = all(pixels > 0 and pixels % side == 0 for pixels in self.input_size)
            check("input_size", self.input_size, wanted=wanted, holds=tiled)
        if self.context.target == "features":
            for key in ("context.patch", *(["encoder.stride"] if self.masks else [])):
                wanted = f"a multiple of backbone.stride ({backbone}), whose features are reconstructed"
                check(key, sides[key], wanted=wanted, holds=sides[key] % backbone == 0)

    def _check_switches(self) -> None:
        fusion, interaction = self.fusion.mode, self.interaction.mode
        wanted = f"none: fusion {fusion} would not take it in"
        taken = interaction == "none" or interaction in INTERACTIVE.get(fusion, ())
        check("interaction.mode", interaction, wanted=wanted, holds=taken)
        wanted = "another: temporal.keypoint_tokens is false, so there is nothing to ask with"
        asks = fusion != "keypoint_queries" or self.temporal.keypoint_tokens
        check("fusion.mode", fusion, wanted=wanted, holds=asks)
        wanted = "none: nothing is encoded, so nothing would be reconstructed"
        check("encoder.mask.kind", self.encoder.mask.kind, wanted=wanted, holds=self.encodes or not self.masks)
        wanted = "tube: with one supporting frame none would be left"
        frames = self.encoder.mask.kind != "frame" or len(self.clip.offsets) > 1
        check("encoder.mask.kind", self.encoder.mask.kind, wanted=wanted, holds=frames)
        wanted = f"none: fusion {fusion} leaves out the temporal stream, which context tokens belong to"
        read = self.has_temporal or self.context.tokens == "none"
        check("context.tokens", self.context.tokens, wanted=wanted, holds=read)

    @property
    def has_temporal(self) -> bool:
        """Whether there is a temporal stream."""
        return self.fusion.mode != "visual"

    @property
    def has_visual(self) -> bool:
        """Whether the keyframe is looked at by a stream of its own."""
        return self.fusion.mode != "temporal"

    @property
    def fuses_features(self) -> bool:
        """Whether the final heatmaps are read from features of both streams, not made of heatmaps."""
        return self.fusion.mode in INTERACTIVE

    @property
    def enhances(self) -> bool:
        """Whether supporting frames enhance what the visual stream sees of the keyframe."""
        return self.has_visual and self.visual.blocks > 0

    @property
    def encodes(self) -> bool:
        """Whether anything reads the encoder."""
        return self.has_temporal or (self.enhances and self.visual.source == "encoder")

    @property
    def reads_supporting(self) -> bool:
        """Whether supporting frames are looked at: a network of one frame does without."""
        return self.has_temporal or self.enhances

    @property
    def masks(self) -> bool:
        """Whether supporting tokens are hidden in training."""
        return self.encoder.mask.kind != "none"

    @property
    def watched(self) -> tuple[int, ...]:
        """Offsets of the frames that the encoder and the temporal stream see, in their order."""
        return (*self.clip.offsets, 0) if self.encoder.inputs == "all" else self.clip.offsets

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
