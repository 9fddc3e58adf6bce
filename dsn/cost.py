"""What a network costs, part by part: parameters, multiply-adds, activation memory and tokens, without computing it.

The network is run on fake tensors, which have shapes and no numbers, so even the largest is told in seconds. One MAC is
one multiplication with its addition: half of what torch's counter calls FLOPs. Matrix products, convolutions and
attention are counted; norms, activations and sums, which cost little, are not.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
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
    macs_per_frame: float
    """The same in a running video with a steady crop, where the backbone sees every frame once (`dsn.streaming`)."""
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
    size, frames = config.input_size, 1 + len(config.clip.offsets)
    return _cost(network, shapes=((1, 3, *size), (1, frames - 1, 3, *size)), is_frozen=is_frozen)


def single_frame_cost(config: ModelConfig, skeleton: Skeleton, *, is_frozen: bool) -> Cost:
    """Cost of the single-frame network."""
    with torch.device("meta"):
        network = build_single_frame(config, skeleton)
    return _cost(network, shapes=((1, 3, *config.input_size),), is_frozen=is_frozen)


def _cost(network: DSN | SingleFrame, *, shapes: tuple[tuple[int, ...], ...], is_frozen: bool) -> Cost:
    network.backbone.requires_grad_(not is_frozen)
    network.to_empty(device="cpu")  # as attention is computed, and so what it keeps, depends on the device
    frames = sum(shape[0] if len(shape) == 4 else shape[1] for shape in shapes)
    with FakeTensorMode() as mode:
        own: dict[str, Tensor] = {name: mode.from_tensor(value) for name, value in _named_tensors(network)}
        run = partial(functional_call, network, own, tuple(torch.empty(shape) for shape in shapes))
        network.eval()
        macs, tokens = _macs(network, run), _tokens(network, run)
        network.train()
        activations = _activations(network, run, apart={_storage(value) for value in own.values()})
    counts = {name: _parameters(network, name) for name in _part_names(network)}
    return Cost(
        frames=frames,
        parts={
            name: PartCost(
                parameters=count,
                trainable=trainable,
                macs=macs[name],
                macs_per_frame=macs[name] / (frames if name == "backbone" else 1),
                activations=activations.get(name, 0),
                tokens=tokens.get(name, 0),
            )
            for name, (count, trainable) in counts.items()
            if count or macs[name] or activations.get(name)
        },
    )


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
    with FlopCounterMode(display=False) as counter:
        run()
    root = type(network).__name__
    by_module = {name: sum(counts.values()) // 2 for name, counts in counter.get_flop_counts().items()}
    heads = {name: by_module.get(f"{root}.{name}", 0) for name in _head_names(network)}
    found = {name: by_module.get(f"{root}.{name}", 0) for name in _part_names(network)}
    for name, macs in heads.items():
        outer = name.split(".")[0]
        if outer in found:
            found[outer] -= macs
    found[HEADS] = sum(heads.values())
    return found | {REST: counter.get_total_flops() // 2 - sum(found.values())}


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
