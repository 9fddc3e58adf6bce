"""How far an exported network's answers are from PyTorch's, on the same clips."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dsn.checkpoint import Loaded
from dsn.codec import decode
from dsn.pixels import normalize, split_clip
from pipeline.export.clips import Clips
from pipeline.export.formats import Run
from pipeline.export.graphs import Whole, frames_read

Inputs = tuple[Float[Tensor, "B ..."], ...]
"""Of the whole network: keyframes, and supporting frames where it reads any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """How far two answers are apart."""

    max: float
    mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How far an exported network is from PyTorch's."""

    clips: int
    heatmaps: Gap
    keypoints_px: Gap
    """Distances, in pixels of the crop."""


def network_inputs(clips: Clips, loaded: Loaded) -> Inputs:
    """What the whole network takes of clips."""
    keyframe, supporting = split_clip(normalize(clips), keyframe_position=loaded.config.clip.keyframe_position)
    read = frames_read(loaded.network)
    return (keyframe, supporting[:, :read]) if read else (keyframe,)


@torch.inference_mode()
def compare(run: Run, loaded: Loaded, clips: Clips) -> Parity:
    """Compare the final heatmaps, and the keypoints that they show.

    Args:
        run: the exported network.
        loaded: the network it was made of, on the CPU.
        clips: what both are shown.
    """
    inputs = network_inputs(clips, loaded)
    wanted, got = Whole(loaded.network).eval()(*inputs), run(*inputs)
    config = loaded.config
    (there, _), (here, _) = (
        decode(maps, input_size=config.input_size, config=config.heatmap) for maps in (wanted, got)
    )
    return Parity(
        clips=len(clips),
        heatmaps=_gap((got - wanted).abs()),
        keypoints_px=_gap((here - there).norm(dim=-1)),
    )


def _gap(differences: Float[Tensor, "..."]) -> Gap:
    return Gap(max=float(differences.max()), mean=float(differences.mean()))
