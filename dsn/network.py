"""The dual-stream network and its single-frame control."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dsn.backbone import build_backbone, freeze_batch_norm
from dsn.config import ModelConfig
from dsn.encoder import Encoder
from dsn.fusion import ConcatFusion
from dsn.heads import build_head
from dsn.readouts import Readouts
from dsn.skeleton import Skeleton
from dsn.temporal import TemporalReadouts, TemporalStream
from dsn.visual import VisualStream


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """All that is kept of the supporting frames; it does not depend on the keyframe."""

    encoded: Float[Tensor, "B S n D"]
    """The encoder's tokens."""
    temporal: TemporalReadouts
    """The temporal stream's readouts."""


class SingleFrame(nn.Module):
    """Backbone and head on the keyframe alone: the control, and where training starts."""

    def __init__(self, config: ModelConfig, *, skeleton: Skeleton) -> None:
        super().__init__()
        self.backbone = build_backbone(config.backbone, input_size=config.input_size)
        self.head = build_head(config, joints=len(skeleton.joints))

    def forward(self, keyframe: Float[Tensor, "B 3 H W"]) -> Readouts:
        """Heatmaps of normalised frames (`dsn.pixels.normalize`)."""
        return Readouts(final=self.head(self.backbone(keyframe)))


class DSN(nn.Module):
    """The dual-stream network: a temporal stream that never sees the keyframe, a visual stream, and their fusion."""

    def __init__(self, config: ModelConfig, *, skeleton: Skeleton) -> None:
        super().__init__()
        joints, factor = len(skeleton.joints), config.encoder.stride // config.backbone.stride
        self.backbone = build_backbone(config.backbone, input_size=config.input_size)
        self.encoder = Encoder(
            config.encoder,
            offsets=config.clip.offsets,
            grid_size=config.grid_size(config.backbone.stride),
            grid_width=config.backbone.width,
            factor=factor,
        )
        self.temporal = TemporalStream(config, joints=joints, factor=factor)
        self.visual = VisualStream(config.visual, width=config.backbone.width, context_width=config.encoder.width)
        self.fusion = ConcatFusion(config.backbone.width) if config.fusion.mode == "concat" else None
        self.final_head = build_head(config, joints=joints)

    def forward(self, keyframe: Float[Tensor, "B 3 H W"], supporting: Float[Tensor, "B S 3 H W"]) -> Readouts:
        """Every readout, from normalised frames (`dsn.pixels.normalize`)."""
        frames = torch.cat([keyframe[:, None], supporting], dim=1)
        tokens = self.backbone(frames.flatten(0, 1))
        tokens = tokens.reshape(*frames.shape[:2], *tokens.shape[1:])
        return self.read(tokens[:, 0], supporting=tokens[:, 1:])

    def read(self, keyframe: Float[Tensor, "B N C"], *, supporting: Float[Tensor, "B S N C"]) -> Readouts:
        """Every readout, from the backbone's tokens."""
        return self.answer(keyframe, memory=self.remember(supporting))

    def remember(self, supporting: Float[Tensor, "B S N C"]) -> Memory:
        """What the temporal stream makes of the supporting frames' tokens; no keyframe goes in."""
        encoded = self.encoder(supporting)
        return Memory(encoded=encoded, temporal=self.temporal(encoded, supporting=supporting))

    def answer(self, keyframe: Float[Tensor, "B N C"], *, memory: Memory) -> Readouts:
        """Every readout, from the keyframe's tokens and a memory that may serve several keyframes."""
        temporal = memory.temporal
        enhanced = self.visual(keyframe, encoded=memory.encoded)
        visual = self.final_head(enhanced)
        if self.fusion is None:
            final = (temporal.answer + visual) / 2
        else:
            final = self.final_head(self.fusion(enhanced, temporal=temporal.features))
        return Readouts(
            final=final,
            keypoint=temporal.keypoint,
            dense=temporal.dense,
            temporal=temporal.answer,
            visual=visual,
            reconstruction=temporal.reconstruction,
        )

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
    """Copy the trained backbone, and the trained head into all three heads, so that every readout starts with a pose.

    With concatenating fusion the final readout then equals the single-frame network's, until training moves it.

    Raises:
        ValueError: the networks were built from different backbones or heads.
    """
    parts = {"backbone": single_frame.backbone} | dict.fromkeys(HEADS, single_frame.head)
    given = {f"{part}.{name}": value for part, module in parts.items() for name, value in module.state_dict().items()}
    own = network.state_dict()
    wrong = sorted(name for part in parts for name in _differences(part, given=given, own=own))
    if wrong:
        raise ValueError(f"single-frame weights: got other names or shapes for {wrong}, wanted the network's own")
    network.load_state_dict(own | given)
    return Start(copied=tuple(sorted(given)), missing=tuple(sorted(set(own) - set(given))))


HEADS = ("final_head", "temporal.dense_head", "temporal.keypoint_head")
"""The heads of the dual-stream network that start as the single-frame network's head."""


def _differences(part: str, *, given: dict[str, Tensor], own: dict[str, Tensor]) -> set[str]:
    """Names below `part` that one side lacks, or holds in another shape."""
    left, right = (
        {(name, value.shape) for name, value in values.items() if name.startswith(f"{part}.")}
        for values in (given, own)
    )
    return {name for name, _ in left ^ right}
