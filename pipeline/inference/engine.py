"""What runs a network's two halves: the backbone, once a frame and person, and all that follows, once a keyframe."""

import tempfile
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from dsn.checkpoint import Loaded
from dsn.network import SingleFrame
from pipeline.export.clips import Clips
from pipeline.export.config import ExportConfig
from pipeline.export.export import refuse_far
from pipeline.export.formats import Run, open_onnx, write_onnx
from pipeline.export.graphs import Graph, frames_read, halves, traced
from pipeline.export.parity import Parity, compare

EngineName = Literal["torch", "onnx"]


@runtime_checkable
class Engine(Protocol):
    """A network that works once a frame, where it can, and keeps what came of it: tokens, or the pixels themselves."""

    offsets: tuple[int, ...]
    """Of the supporting frames; none for a network of one frame."""

    def encode(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B ..."]:
        """What is kept of normalised crops."""

    def answer(self, shown: Float[Tensor, "B ..."], supporting: Float[Tensor, "B S ..."]) -> Float[Tensor, "B K h w"]:
        """The final heatmaps, from what was kept of keyframes and of their supporting frames."""


def offsets_read(loaded: Loaded) -> tuple[int, ...]:
    """Of the supporting frames that a network reads."""
    return loaded.config.clip.offsets if frames_read(loaded.network) else ()


class TorchEngine:
    """A network in PyTorch."""

    def __init__(self, loaded: Loaded, *, device: str) -> None:
        self._network = loaded.network.to(device).eval()
        self._device = device
        self.offsets = offsets_read(loaded)

    @torch.inference_mode()
    def encode(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B N C"]:
        """Tokens of normalised crops."""
        tokens: Tensor = self._network.backbone(pixels.to(self._device))
        return tokens

    @torch.inference_mode()
    def answer(self, shown: Float[Tensor, "B N C"], supporting: Float[Tensor, "B S N C"]) -> Float[Tensor, "B K h w"]:
        """The final heatmaps, from tokens of keyframes and of their supporting frames."""
        if isinstance(self._network, SingleFrame):
            maps: Tensor = self._network.head(shown)
            return maps
        return self._network.read_final(shown, supporting=supporting)


class OnnxEngine:
    """A network's halves in onnxruntime, on the CPU."""

    def __init__(self, loaded: Loaded) -> None:
        """Export the halves; onnxruntime holds them in memory.

        Raises:
            Refusal: the network cannot be traced, or its weights are too large for ONNX.
        """
        self.offsets = offsets_read(loaded)
        with tempfile.TemporaryDirectory() as folder:
            self._encode, self._answer = (_run(graph, Path(folder, f"{graph.output}.onnx")) for graph in halves(loaded))

    def encode(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B N C"]:
        """Tokens of normalised crops."""
        return self._encode(pixels)

    def answer(self, shown: Float[Tensor, "B N C"], supporting: Float[Tensor, "B S N C"]) -> Float[Tensor, "B K h w"]:
        """The final heatmaps, from tokens of keyframes and of their supporting frames."""
        return self._answer(shown, supporting) if self.offsets else self._answer(shown)


def _run(graph: Graph, path: Path) -> Run:
    write_onnx(traced(graph, name="--engine onnx"), path, {})
    return open_onnx(path)


def checked(engine: Engine, loaded: Loaded, config: ExportConfig, *, clips: Clips, name: str, left: str) -> Parity:
    """How far an engine's answers are from those of the network it was made of, frame by frame as `predict` asks it.

    Args:
        engine: answers.
        loaded: the network.
        config: how far they may be.
        clips: what both are shown.
        name: whose answers, for the message.
        left: what is left to the user, for its end.

    Raises:
        Refusal: they are farther apart than the config allows.
    """
    parity = compare(_whole(engine), loaded, clips)
    refuse_far(parity, config, name=name, left=left)
    return parity


def _whole(engine: Engine) -> Run:
    """An engine as if it read whole clips."""

    def run(keyframe: Float[Tensor, "B 3 H W"], supporting: Float[Tensor, "B S 3 H W"] | None = None) -> Tensor:
        others = keyframe[:, None][:, :0] if supporting is None else supporting
        shown = engine.encode(keyframe)
        frames = [engine.encode(others[:, at]) for at in range(others.shape[1])]
        return engine.answer(shown, torch.stack(frames, dim=1) if frames else shown[:, None][:, :0])

    return run


def build_engine(name: EngineName, loaded: Loaded, *, device: str) -> Engine:
    """The engine of a name; `device` is torch's."""
    return OnnxEngine(loaded) if name == "onnx" else TorchEngine(loaded, device=device)
