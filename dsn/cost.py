"""What a network costs, part by part: parameters, multiply-adds, activation memory and tokens, without computing it.

The network is run on fake tensors, which have shapes and no numbers, so even the largest is told in seconds. One MAC is
one multiplication with its addition: half of what torch's counter calls FLOPs. Matrix products, convolutions and
attention are counted; norms, activations and sums, which cost little, are not.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from dsn.attention import Attention
from dsn.config import ModelConfig
from dsn.heads import Heads, HeatmapHead
from dsn.network import DSN, SingleFrame, build, build_single_frame
from dsn.skeleton import Skeleton

HEADS, REST = "heads", "rest"
"""Parts made of every head wherever it stands, and of what belongs to no module of the network's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCost:
    """Cost of one part of a network, for one clip."""

    parameters: int
    """Of them all."""
    trainable: int
    """Of those that training moves."""
    macs: int
    """Multiply-adds of one clip in evaluation."""
    macs_per_frame: int
    """Multiply-adds of a keyframe in a running video with a steady crop, where the backbone sees every frame once and
    the final readout alone is asked for (`dsn.streaming`)."""
    activations: int
    """Bytes that training keeps of one clip for the backward pass, in single precision and without parameters."""
    tokens: int
    """Tokens of one clip: out of the backbone, or the most that one attention of this part takes as queries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Cost of a network."""

    frames: int
    """Frames of a clip."""
    parts: dict[str, PartCost]
    """In the order of the network's modules, the heads last."""

    @property
    def total(self) -> PartCost:
        """All parts together; tokens are the most that any part has."""
        rows = [asdict(part) for part in self.parts.values()]
        sums = {name: sum(row[name] for row in rows) for name in rows[0]}
        return PartCost(**(sums | {"tokens": max(row["tokens"] for row in rows)}))


def dual_cost(config: ModelConfig, skeleton: Skeleton, *, is_frozen: bool) -> Cost:
    """Cost of the dual-stream network; `is_frozen` tells whether its backbone is."""
    with torch.device("meta"):
        network = build(config, skeleton)
    return _cost(network, config=config, supporting=len(config.clip.offsets), is_frozen=is_frozen)


def single_frame_cost(config: ModelConfig, skeleton: Skeleton, *, is_frozen: bool) -> Cost:
    """Cost of the single-frame network."""
    with torch.device("meta"):
        network = build_single_frame(config, skeleton)
    return _cost(network, config=config, supporting=0, is_frozen=is_frozen)


class StreamingStep(nn.Module):
    """What a running video costs a frame: one backbone pass, and the final heatmaps from tokens that were kept."""

    def __init__(self, network: DSN) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, keyframe: Float[Tensor, "B 3 H W"], supporting: Float[Tensor, "B S N C"]
    ) -> Float[Tensor, "B K h w"]:
        """The final heatmaps."""
        return self.network.read_final(self.network.backbone(keyframe), supporting=supporting)


def _cost(network: DSN | SingleFrame, *, config: ModelConfig, supporting: int, is_frozen: bool) -> Cost:
    network.backbone.requires_grad_(not is_frozen)
    network.to_empty(device="cpu")  # as attention is computed, and so what it keeps, depends on the device
    frame, cells = (1, 3, *config.input_size), math.prod(config.grid_size(config.backbone.stride))
    with FakeTensorMode() as mode:
        own = {name: mode.from_tensor(value) for name, value in _named_tensors(network)}
        clip = [torch.empty(frame)] + [torch.empty(1, supporting, *frame[1:])] * (supporting > 0)
        run = _runner(network, own, clip)
        network.eval()
        macs, tokens = _macs(network, run), _tokens(network, run)
        macs_per_frame = macs
        if isinstance(network, DSN):
            kept = torch.empty(1, supporting, cells, config.backbone.width)
            step = {f"network.{name}": value for name, value in own.items()}
            run_step = _runner(StreamingStep(network), step, [clip[0], kept])
            macs_per_frame = _macs(network, run_step)
        network.train()
        activations = _activations(network, run, apart={_storage(value) for value in own.values()})
    counts = {name: _parameters(network, name) for name in _part_names(network)}
    return Cost(
        frames=1 + supporting,
        parts={
            name: PartCost(
                parameters=count,
                trainable=trainable,
                macs=macs[name],
                macs_per_frame=macs_per_frame[name],
                activations=activations.get(name, 0),
                tokens=tokens.get(name, 0),
            )
            for name, (count, trainable) in counts.items()
            if count or macs[name] or activations.get(name)
        },
    )


def _runner(module: nn.Module, own: Mapping[str, Tensor], arguments: Sequence[Tensor]) -> Callable[[], Any]:
    """Calls a module with other tensors than its own."""
    return partial(functional_call, module, dict(own), tuple(arguments))


def _named_tensors(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from network.named_parameters()
    yield from network.named_buffers()


def _part_names(network: nn.Module) -> list[str]:
    """The network's own modules, and the two parts that gather from them."""
    own = [name for name, module in network.named_children() if not isinstance(module, HeatmapHead | Heads)]
    return [*own, REST, HEADS]


def _head_names(network: nn.Module) -> list[str]:
    return [name for name, module in network.named_modules() if isinstance(module, HeatmapHead)]


def _part_of(name: str, network: nn.Module) -> str:
    """The part to which a module or parameter belongs, by its name in the network."""
    if any(name == head or name.startswith(f"{head}.") for head in _head_names(network)):
        return HEADS
    first, *inner = name.split(".")
    return first if inner or isinstance(getattr(network, first), nn.Module) else REST


def _parameters(network: nn.Module, part: str) -> tuple[int, int]:
    """How many there are, and how many of them are trained."""
    found = [value for name, value in network.named_parameters() if _part_of(name, network) == part]
    return sum(value.numel() for value in found), sum(value.numel() for value in found if value.requires_grad)


@torch.no_grad()
def _macs(network: nn.Module, run: Callable[[], Any]) -> dict[str, int]:
    """Multiply-adds by part, each in the innermost part at work: a head that fusion calls is a head still."""
    found = dict.fromkeys(_part_names(network), 0)
    within, settled = [REST], 0

    def settle() -> None:
        nonlocal settled
        found[within[-1]] += counter.get_total_flops() // 2 - settled
        settled = counter.get_total_flops() // 2

    def enter(part: str) -> None:
        settle()
        within.append(part)

    def leave() -> None:
        settle()
        within.pop()

    with FlopCounterMode(display=False) as counter, _telling(network, enter=enter, leave=leave):
        run()
    settle()
    return found


def _activations(network: nn.Module, run: Callable[[], Any], *, apart: set[int]) -> dict[str, int]:
    """Bytes that the forward pass of training saves, each storage once, in the part that saves it first.

    The storages `apart` are not counted.
    """
    kept: dict[int, tuple[str, int, Tensor]] = {}
    within = [REST]

    def keep(saved: Tensor) -> Tensor:
        if _storage(saved) not in apart:
            kept.setdefault(_storage(saved), (within[-1], saved.untyped_storage().nbytes(), saved))
        return saved

    with _telling(network, enter=within.append, leave=within.pop), saved_tensors_hooks(keep, lambda saved: saved):
        run()
    return {part: sum(size for where, size, _ in kept.values() if where == part) for part in _part_names(network)}


def _storage(tensor: Tensor) -> int:
    """Names the memory that a tensor is a view of, as long as a tensor of it is alive."""
    name: int = tensor.untyped_storage()._cdata  # noqa: SLF001  (fake memory has no address, and no public name)
    return name


@contextmanager
def _telling(network: nn.Module, *, enter: Callable[[str], Any], leave: Callable[[], Any]) -> Iterator[None]:
    """Say which part is entered, and when it is left."""
    parts = {name: _part_of(name, network) for name in [*_part_names(network)[:-2], *_head_names(network)]}
    with _hooks() as add:
        for name, part in parts.items():
            module = network.get_submodule(name)
            add(module.register_forward_pre_hook(partial(_call, enter, part)))
            add(module.register_forward_hook(partial(_call, leave)))
        yield


def _call(told: Callable[..., Any], *arguments: Any) -> None:
    """Call `told` with the arguments that are names; the others are a hook's."""
    told(*(argument for argument in arguments if isinstance(argument, str)))


@contextmanager
def _hooks() -> Iterator[Callable[[Any], None]]:
    """Takes hooks in, and removes them at the end."""
    handles: list[Any] = []
    try:
        yield handles.append
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def _tokens(network: nn.Module, run: Callable[[], Any]) -> dict[str, int]:
    """By part, the tokens that come out of the backbone, or the most that one attention takes as queries."""
    found: dict[str, int] = {}

    def count(part: str, tokens: Tensor) -> None:
        found[part] = max(found.get(part, 0), tokens.shape[0] * tokens.shape[1])

    with _hooks() as add:
        backbone = network.get_submodule("backbone")
        add(backbone.register_forward_hook(lambda _, __, tokens: count("backbone", tokens)))
        for name, module in network.named_modules():
            if isinstance(module, Attention):
                hook = partial(lambda part, _, given: count(part, given[0]), _part_of(name, network))
                add(module.register_forward_pre_hook(hook))
        run()
    return found
