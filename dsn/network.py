"""The dual-stream network and its single-frame control."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from dsn.backbone import build_backbone, freeze_batch_norm
from dsn.config import ModelConfig
from dsn.encoder import Encoder
from dsn.fusion import OF_FEATURES, Fused, Streams, build_fusion
from dsn.grid import Grid
from dsn.heads import Heads, build_head
from dsn.init import initialise
from dsn.interaction import Interaction
from dsn.readouts import Readouts
from dsn.reconstruction import Reconstructions, build_mask
from dsn.skeleton import Skeleton
from dsn.temporal import TemporalFeatures, TemporalStream
from dsn.visual import VisualStream


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is made of the frames that the temporal stream watches; None is what a network lacks."""

    context: Float[Tensor, "B S m E"] | None
    """What the visual stream attends to."""
    encoded: Float[Tensor, "B S n D"] | None
    """The encoder's tokens."""
    features: TemporalFeatures | None
    """The temporal stream's."""
    keypoint: Float[Tensor, "B K h w"] | None
    """Heatmaps read by the keypoint tokens."""
    dense: Float[Tensor, "B S K h w"] | None
    """The keyframe's heatmaps, once from each watched frame's tokens."""

    @property
    def answer(self) -> Float[Tensor, "B K h w"] | None:
        """What the temporal stream answers: the mean of its ways of reading."""
        ways = (self.keypoint, None if self.dense is None else self.dense.mean(dim=1))
        maps = [way for way in ways if way is not None]
        return sum(maps[1:], maps[0]) / len(maps) if maps else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """All that is kept of the supporting frames; it does not depend on the keyframe."""

    shown: Float[Tensor, "B S N C"]
    """The backbone's tokens, some of which training may have hidden."""
    hidden: Bool[Tensor, "B S n"] | None
    """Which of the encoder's tokens that concerns."""
    watched: Watched | None
    """What is made of them; None where the keyframe is watched as well."""


class SingleFrame(nn.Module):
    """Backbone and head on the keyframe alone: the control, and where training starts."""

    def __init__(self, config: ModelConfig, *, skeleton: Skeleton) -> None:
        super().__init__()
        self.backbone = build_backbone(
            config.backbone, input_size=config.input_size, checkpointing=config.checkpointing
        )
        self.head = build_head(config, joints=len(skeleton.joints))
        initialise(self, config.init)

    def forward(self, keyframe: Float[Tensor, "B 3 H W"]) -> Readouts:
        """Heatmaps of normalised frames (`dsn.pixels.normalize`)."""
        return Readouts(final=self.head(self.backbone(keyframe)))


class DSN(nn.Module):
    """The dual-stream network: a temporal stream that infers the keyframe's pose, a visual stream, and their fusion."""

    def __init__(self, config: ModelConfig, *, skeleton: Skeleton) -> None:
        """Build the parts that the config asks for; heads come between, so that a seed gives each part its weights."""
        super().__init__()
        joints, grid = len(skeleton.joints), config.grid_size(config.backbone.stride)
        backbone_grid = Grid(size=grid, width=config.backbone.width)
        encoder_grid = Grid(size=config.grid_size(config.encoder.stride), width=config.encoder.width)
        self.supporting_read = len(config.clip.offsets) if config.reads_supporting else 0
        self.watches_keyframe = config.encoder.inputs == "all"
        self.looks_at_encoded = config.visual.source == "encoder"
        self.backbone = build_backbone(
            config.backbone, input_size=config.input_size, checkpointing=config.checkpointing
        )
        grids = {"encoder_grid": encoder_grid, "backbone_grid": backbone_grid}
        self.encoder = Encoder(config, **grids) if config.encodes else None
        self.temporal = TemporalStream(config, joints=joints, **grids) if config.has_temporal else None
        self.heads = Heads(config, joints=joints)
        self.heads.build("dense", "keypoint")
        self.visual = VisualStream(config) if config.enhances else None
        self.interaction = Interaction(config)
        self.fusion = build_fusion(config, joints=joints)
        self.heads.build("visual", "final")
        self.mask = build_mask(config)
        self.reconstructions = Reconstructions(config)
        initialise(self, config.init)

    def forward(self, keyframe: Float[Tensor, "B 3 H W"], supporting: Float[Tensor, "B S 3 H W"]) -> Readouts:
        """Every readout, from normalised frames (`dsn.pixels.normalize`)."""
        frames = torch.cat([keyframe[:, None], supporting[:, : self.supporting_read]], dim=1)
        tokens = self.backbone(frames.flatten(0, 1))
        tokens = tokens.reshape(*frames.shape[:2], *tokens.shape[1:])
        memory = self.remember(tokens[:, 1:])
        watched = self._watched(tokens[:, 0], memory=memory)
        readouts = self._readouts(tokens[:, 0], watched=watched)
        if not self.training:
            return readouts
        guess = None if watched.features is None else watched.features.guess
        return replace(
            readouts,
            reconstruction=self.reconstructions.of_keyframe(guess, pixels=frames[:, 0], tokens=tokens[:, 0]),
            masked=self.reconstructions.of_supporting(
                watched.encoded, memory.hidden, pixels=frames[:, 1:], tokens=tokens[:, 1:]
            ),
        )

    def read(self, keyframe: Float[Tensor, "B N C"], *, supporting: Float[Tensor, "B S N C"]) -> Readouts:
        """Every heatmap, from the backbone's tokens."""
        return self.answer(keyframe, memory=self.remember(supporting))

    def read_final(
        self, keyframe: Float[Tensor, "B N C"], *, supporting: Float[Tensor, "B S N C"]
    ) -> Float[Tensor, "B K h w"]:
        """The final heatmaps of `read` alone: most heads are left out where it is not made of their readouts."""
        shown, _ = self.mask(supporting)
        if self.watches_keyframe:
            shown = torch.cat([shown, keyframe[:, None]], dim=1)
        with_maps = not isinstance(self.fusion, OF_FEATURES)
        watched = self._watch(shown, with_maps=with_maps)
        return self._readouts(keyframe, watched=watched, with_maps=with_maps).final

    def remember(self, supporting: Float[Tensor, "B S N C"]) -> Memory:
        """What the temporal stream makes of the supporting frames' backbone tokens; no keyframe goes in."""
        shown, hidden = self.mask(supporting)
        return Memory(shown=shown, hidden=hidden, watched=None if self.watches_keyframe else self._watch(shown))

    def answer(self, keyframe: Float[Tensor, "B N C"], *, memory: Memory) -> Readouts:
        """Every heatmap, from the keyframe's backbone tokens and a memory that may serve several keyframes."""
        return self._readouts(keyframe, watched=self._watched(keyframe, memory=memory))

    def _watched(self, keyframe: Float[Tensor, "B N C"], *, memory: Memory) -> Watched:
        if memory.watched is not None:
            return memory.watched
        return self._watch(torch.cat([memory.shown, keyframe[:, None]], dim=1))

    def _watch(self, tokens: Float[Tensor, "B S N C"], *, with_maps: bool = True) -> Watched:
        """The temporal stream on the frames that it watches, with its readouts or without."""
        encoded = None if self.encoder is None else self.encoder(tokens)
        context = encoded if self.looks_at_encoded else tokens
        features = None if self.temporal is None else self.temporal(encoded, watched=tokens)
        if features is None or not with_maps:
            return Watched(context=context, encoded=encoded, features=features, keypoint=None, dense=None)
        dense = self.heads.read("dense", features.restored.flatten(0, 1))
        return Watched(
            context=context,
            encoded=encoded,
            features=features,
            keypoint=self.heads.read("keypoint", features.mean, change=features.kernels),
            dense=None if dense is None else dense.reshape(*tokens.shape[:2], *dense.shape[1:]),
        )

    def _readouts(self, keyframe: Float[Tensor, "B N C"], *, watched: Watched, with_maps: bool = True) -> Readouts:
        """The visual stream, with its readout or without, and the fusion of both."""
        enhanced = keyframe if self.visual is None else self.visual(keyframe, supporting=watched.context)
        visual = self.heads.read("visual", enhanced) if with_maps else None
        fused = self._fuse(enhanced, visual, watched=watched)
        return Readouts(
            final=fused.heatmaps,
            keypoint=watched.keypoint,
            dense=watched.dense,
            temporal=watched.answer,
            visual=visual,
            gate=fused.gate,
        )

    def _fuse(self, enhanced: Float[Tensor, "B N C"], visual: Tensor | None, *, watched: Watched) -> Fused:
        """Both streams' answer, or that of the only one."""
        answer = watched.answer
        if self.fusion is None:
            alone = visual if answer is None else answer
            assert alone is not None
            return Fused(heatmaps=alone)
        assert watched.features is not None
        looked, inferred = self.interaction(enhanced, watched.features.mean)
        streams = Streams(
            visual=looked,
            visual_maps=visual,
            temporal=inferred,
            temporal_maps=answer,
            keypoints=watched.features.keypoints,
        )
        fused: Fused = self.fusion(streams, self.heads.of("final"))
        return fused

    def train(self, mode: bool = True) -> "DSN":  # noqa: FBT001, FBT002  (the signature is torch's)
        """Switch to training or evaluation; BatchNorm keeps to its stored statistics in both."""
        super().train(mode)
        freeze_batch_norm(self)
        return self


def build(config: ModelConfig, skeleton: Skeleton) -> DSN:
    """The dual-stream network, randomly initialised, in training mode."""
    return DSN(config, skeleton=skeleton).train()


def build_single_frame(config: ModelConfig, skeleton: Skeleton) -> SingleFrame:
    """The single-frame network, randomly initialised, in training mode; it uses backbone and head of the config."""
    return SingleFrame(config, skeleton=skeleton).train()


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a network took over from another."""

    copied: tuple[str, ...]
    """Parameters and buffers that hold the single-frame network's values."""
    missing: tuple[str, ...]
    """Those that keep their own initial values."""


def start_from(network: DSN, single_frame: SingleFrame) -> Start:
    """Copy the trained backbone, and the trained head into all heads, so that every readout starts with a pose.

    With concatenating fusion the final readout then equals the single-frame network's, until training moves it.

    Raises:
        ValueError: the networks were built from different backbones or heads.
    """
    heads = [f"heads.{name}" for name in network.heads]
    parts = {"backbone": single_frame.backbone} | dict.fromkeys(heads, single_frame.head)
    given = {f"{part}.{name}": value for part, module in parts.items() for name, value in module.state_dict().items()}
    own = network.state_dict()
    wrong = sorted(name for part in parts for name in _differences(part, given=given, own=own))
    if wrong:
        raise ValueError(f"single-frame weights: got other names or shapes for {wrong}, wanted the network's own")
    network.load_state_dict(own | given)
    return Start(copied=tuple(sorted(given)), missing=tuple(sorted(set(own) - set(given))))


def _differences(part: str, *, given: dict[str, Tensor], own: dict[str, Tensor]) -> set[str]:
    """Names below `part` that one side lacks, or holds in another shape."""
    left, right = (
        {(name, value.shape) for name, value in values.items() if name.startswith(f"{part}.")}
        for values in (given, own)
    )
    return {name for name, _ in left ^ right}
