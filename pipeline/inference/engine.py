"""What runs a network's two halves: the backbone, once a frame and person, and all that follows, once a keyframe."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from dsn.checkpoint import Loaded
from dsn.network import DSN, SingleFrame


@runtime_checkable
class Engine(Protocol):
    """A network that tokens can be kept of."""

    offsets: tuple[int, ...]
    """Of the supporting frames; none for a network of one frame."""

    def encode(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B N C"]:
        """Tokens of normalised crops."""

    def answer(self, shown: Float[Tensor, "B N C"], supporting: Float[Tensor, "B S N C"]) -> Float[Tensor, "B K h w"]:
        """The final heatmaps, from tokens of keyframes and of their supporting frames."""


class TorchEngine:
    """A network in PyTorch."""

    def __init__(self, loaded: Loaded, *, device: str) -> None:
        self._network = loaded.network.to(device).eval()
        self._device = device
        is_dual = isinstance(self._network, DSN) and self._network.supporting_read > 0
        self.offsets = loaded.config.clip.offsets if is_dual else ()

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
