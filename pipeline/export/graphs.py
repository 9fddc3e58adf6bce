"""What is exported: the whole network, or the two halves that a running video needs, each with named tensors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from dsn.checkpoint import Loaded
from dsn.network import DSN, SingleFrame
from pipeline.refusal import Refusal

EXAMPLES = 2
"""Clips that a graph is traced with: with one, the batch would be taken for a constant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A function of a network's, and what it is traced with."""

    module: nn.Module
    """Takes the inputs in their order and gives one tensor."""
    inputs: Mapping[str, Tensor]
    """Examples by name; the first axis of each is the batch."""
    output: str
    """The name of what it gives."""


class Backbone(nn.Module):
    """From pixels to tokens."""

    def __init__(self, network: DSN | SingleFrame) -> None:
        super().__init__()
        self.backbone = network.backbone

    def forward(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B N C"]:
        """The backbone's tokens of normalised crops."""
        return cast("Tensor", self.backbone(pixels))


class Answer(nn.Module):
    """From tokens of keyframes, and of their supporting frames where the network reads any, to the final heatmaps."""

    def __init__(self, network: DSN | SingleFrame) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, shown: Float[Tensor, "B N C"], supporting: Float[Tensor, "B S N C"] | None = None
    ) -> Float[Tensor, "B K h w"]:
        """The final heatmaps."""
        if isinstance(self.network, SingleFrame):
            return cast("Tensor", self.network.head(shown))
        return self.network.read_final(shown, supporting=shown[:, None][:, :0] if supporting is None else supporting)


class Whole(nn.Module):
    """From pixels of keyframes, and of their supporting frames where the network reads any, to the final heatmaps."""

    def __init__(self, network: DSN | SingleFrame) -> None:
        super().__init__()
        self.encode, self.answer = Backbone(network), Answer(network)

    def forward(
        self, keyframe: Float[Tensor, "B 3 H W"], supporting: Float[Tensor, "B S 3 H W"] | None = None
    ) -> Float[Tensor, "B K h w"]:
        """The final heatmaps of normalised crops."""
        if supporting is None:
            return cast("Tensor", self.answer(self.encode(keyframe)))
        frames = torch.cat([keyframe[:, None], supporting], dim=1)
        tokens = self.encode(frames.flatten(0, 1))
        tokens = tokens.reshape(*frames.shape[:2], *tokens.shape[1:])
        return cast("Tensor", self.answer(tokens[:, 0], tokens[:, 1:]))


def frames_read(network: DSN | SingleFrame) -> int:
    """How many supporting frames a network reads; none where it looks at keyframes alone."""
    return network.supporting_read if isinstance(network, DSN) else 0


def whole(loaded: Loaded) -> Graph:
    """`keyframe` and `supporting`, normalised crops, to `heatmaps`."""
    inputs = _inputs(loaded, ("keyframe", "supporting"), shape=(3, *loaded.config.input_size))
    return Graph(module=Whole(loaded.network).eval(), inputs=inputs, output="heatmaps")


def halves(loaded: Loaded) -> tuple[Graph, Graph]:
    """`pixels` to `tokens`, once a frame and crop; and `shown` and `supporting`, both tokens, to `heatmaps`."""
    pixels = {"pixels": torch.zeros(EXAMPLES, 3, *loaded.config.input_size)}
    rows, columns = loaded.config.grid_size(loaded.config.backbone.stride)
    tokens = _inputs(loaded, ("shown", "supporting"), shape=(rows * columns, loaded.config.backbone.width))
    return (
        Graph(module=Backbone(loaded.network).eval(), inputs=pixels, output="tokens"),
        Graph(module=Answer(loaded.network).eval(), inputs=tokens, output="heatmaps"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """A graph as every format is written from it."""

    program: ExportedProgram
    inputs: tuple[str, ...]
    """Their names, in order; the first axis of each is the batch."""
    output: str


def traced(graph: Graph, *, name: str) -> Traced:
    """The graph by torch.export, for any batch.

    Raises:
        Refusal: the network `name` decides by the values of a clip, or by their number, what it computes.
    """
    batch = Dim("batch")
    shapes = tuple({0: batch} for _ in graph.inputs)
    try:
        with torch.no_grad():
            program = torch.export.export(graph.module, tuple(graph.inputs.values()), dynamic_shapes=shapes)
    except RuntimeError as error:  # all that torch.export says about a network that it cannot follow
        why = next(line.strip() for line in str(error).splitlines() if line.strip())
        raise Refusal(
            f"{name}: got a network that torch.export cannot trace, wanted one that computes the same for every "
            f"clip and batch ({type(error).__name__}: {why})"
        ) from error
    return Traced(program=program, inputs=(*graph.inputs,), output=graph.output)


def _inputs(loaded: Loaded, names: tuple[str, str], *, shape: tuple[int, ...]) -> dict[str, Tensor]:
    """Zeros for a keyframe, and for its supporting frames where the network reads any."""
    count = frames_read(loaded.network)
    shown = {names[0]: torch.zeros(EXAMPLES, *shape)}
    return shown | ({names[1]: torch.zeros(EXAMPLES, count, *shape)} if count else {})
