"""What stops a step: numbers that are none, and memory that is too small."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch

from pipeline.refusal import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A step whose loss or gradient is not finite, as one rank saw it."""

    step: int
    rank: int
    values: dict[str, float]
    """Loss terms and the gradient's norm, as far as they were computed."""
    keys: tuple[str, ...]
    """The rank's samples."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values: what is no number is a string."""
        shown = {name: value if math.isfinite(value) else str(value) for name, value in self.values.items()}
        return asdict(self) | {"values": shown}


class NotFiniteError(FloatingPointError):
    """The loss or the gradient is not finite; `facts` say where."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        values = ", ".join(f"{name} {value:.4g}" for name, value in facts.values.items())
        self.shown = f"step {facts.step} is not finite on rank {facts.rank} ({values})"
        super().__init__(f"{self.shown} on the samples {', '.join(facts.keys)}")


class NoRoomError(Refusal):
    """The memory of a device is too small for a pass."""


def is_finite(values: Sequence[float]) -> bool:
    """Whether all are."""
    return all(math.isfinite(value) for value in values)


@contextmanager
def enough_memory(clips: int) -> Iterator[None]:
    """Tell which number to change when the GPU has no room for a pass of so many clips.

    Raises:
        NoRoomError: it has none.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        advice = (
            f"set it to {clips // 2}: the batch stays as large, in more passes"
            if clips > 1
            else "lower model.input_size or take a smaller network"
        )
        first = str(error).split(". ")[0]
        raise NoRoomError(
            f"micro_batch: got a pass of {clips} clips, which the GPU has no room for ({first}); {advice}"
        ) from None
