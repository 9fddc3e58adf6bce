"""Every switch by itself and every two together: a network that runs and is as its sight declares, or a refusal."""

from itertools import combinations
from typing import Any

import pytest
import torch

from dsn.config import ModelConfig
from dsn.network import build
from dsn.sight import sight
from dsn.skeleton import POSETRACK
from pipeline.refusal import Refusal
from tests.world.networks import model_config

SWITCHES: dict[str, tuple[Any, ...]] = {
    "encoder.inputs": ("all",),
    "encoder.stride": (8, 4),
    "encoder.joint_blocks": (0,),
    "encoder.divided_blocks": (0,),
    "encoder.temporal_positions": ("sincos", "none"),
    "encoder.mask.kind": ("tube", "frame"),
    "temporal.context": ("mean",),
    "temporal.keypoint_tokens": (False,),
    "temporal.keypoint_positions": (False,),
    "temporal.restore": ("joints",),
    "temporal.dense_readout": (False,),
    "context.tokens": ("one", "none"),
    "context.target": ("normalized_pixels", "features"),
    "visual.blocks": (0, 2),
    "visual.source": ("backbone",),
    "visual.context": ("frames",),
    "interaction.mode": ("to_visual", "to_temporal", "mutual"),
    "fusion.mode": ("mean", "gated", "temporal_queries", "keypoint_queries", "temporal", "visual"),
    "head.sharing": ("none", "all"),
    "head.norm": ("batch",),
    "backbone.drop_path": (0.2,),
    "init": ("timm", "mae"),
    "checkpointing": (True,),
    "clip.offsets": ([-1], [-8, -4]),
}
"""By key of the section `model`, the values that v3_2 does not have."""
TURNS = [(key, value) for key, values in SWITCHES.items() for value in values]
MAPS = ("final", "visual", "temporal", "keypoint", "dense")


def _laid(*turns: tuple[str, Any]) -> dict[str, Any]:
    """Keys with dots as nested mappings."""
    changes: dict[str, Any] = {}
    for key, value in turns:
        place = changes
        *outer, last = key.split(".")
        for name in outer:
            place = place.setdefault(name, {})
        place[last] = value
    return changes


def _runs(config: ModelConfig) -> None:
    network = build(config, POSETRACK)
    frames = torch.randn(2, 1 + len(config.clip.offsets), 3, 64, 48)
    trained = network(frames[:, 0], frames[:, 1:])
    torch.autograd.backward(trained.final.square().sum())  # while it still trains: checkpointing computes layers anew
    answered = network.eval()(frames[:, 0], frames[:, 1:])
    assert {name for name in MAPS if getattr(answered, name) is not None} == set(sight(config))
    assert all(getattr(answered, name).isfinite().all() for name in sight(config))
    assert (trained.reconstruction is not None) == (config.context.tokens != "none")
    assert (trained.masked is not None) == config.masks


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_a_switch_works_alone(turn: tuple[str, Any]) -> None:
    without_context = [("context.tokens", "none")] if turn == ("fusion.mode", "visual") else []

    _runs(model_config(**_laid(turn, *without_context)))


@pytest.mark.slow
@pytest.mark.parametrize("first", TURNS, ids=str)
def test_a_switch_works_with_every_other_or_the_pair_is_refused(first: tuple[str, Any]) -> None:
    pairs = [pair for pair in combinations(TURNS, 2) if pair[0] == first and pair[1][0] != first[0]]
    for pair in pairs:
        try:
            config = model_config(**_laid(*pair))
        except Refusal as refusal:
            assert "wanted" in str(refusal)  # noqa: PT017  (either outcome is right; which, the configs' tests say)
            continue
        _runs(config)
