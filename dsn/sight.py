"""Sight: which frames each readout of a network may see; a test holds every preset to it."""

from typing import Literal

from dsn.config import ModelConfig
from dsn.loss import TERMS, LossConfig
from dsn.parts import check

Frames = Literal["keyframe", "supporting"]

BOTH: frozenset[Frames] = frozenset({"keyframe", "supporting"})


def refuse_unread(loss: LossConfig, model: ModelConfig) -> None:
    """Refuse to weigh what the dual-stream network does not read, which would be as good as a misspelt key.

    Raises:
        ValueError: a term has a weight and no readout.
    """
    built = {
        "reconstruction": model.context.tokens != "none",
        "masked": model.masks,
        **dict.fromkeys(sight(model), True),
    }
    for name in TERMS:
        weight: float = getattr(loss, name)
        wanted = "0: the section model builds nothing for it"
        check(f"loss.{name}", weight, wanted=wanted, holds=weight == 0 or built.get(name, False))


def sight(config: ModelConfig) -> dict[str, frozenset[Frames]]:
    """By heatmap readout that the network has (`dsn.readouts`), the frames that it depends on."""
    watched = BOTH if config.encoder.inputs == "all" else frozenset[Frames]({"supporting"})
    looked = BOTH if config.enhances else frozenset[Frames]({"keyframe"})
    readouts: dict[str, frozenset[Frames]] = {"final": looked | watched}
    if not config.has_temporal:
        readouts["final"] = looked
    if not config.has_visual:
        readouts["final"] = watched
    if config.has_visual:
        readouts["visual"] = looked
    if config.has_temporal:
        readouts["temporal"] = watched
        readouts |= {"keypoint": watched} if config.temporal.keypoint_tokens else {}
        readouts |= {"dense": watched} if config.temporal.dense_readout else {}
    return readouts
