"""The optimiser's groups and rates."""

from itertools import pairwise
from typing import Any

import pytest
import timm
import torch
from torch import nn

from pipeline.refusal import Refusal
from pipeline.training.config import TrainConfig
from pipeline.training.optimizer import optimizer, schedule


def recipe(**changes: object) -> TrainConfig:
    values: dict[str, object] = {
        "seed": 0,
        "steps": 12,
        "batch_size": 4,
        "micro_batch": None,
        "learning_rate": 0.1,
        "backbone_rate": 0.5,
        "layer_decay": 1.0,
        "weight_decay": 0.05,
        "warmup_steps": 2,
        "decay": "cosine",
        "decay_at": (),
        "decay_factor": 0.1,
        "clip_norm": 1.0,
        "ema_decay": 0.9,
        "precision": "fp32",
        "deterministic": False,
        "compile": False,
        "max_skipped_share": 0.0,
        "gradient_shares": False,
        "log_every": 2,
        "evaluate_every": 4,
        "checkpoint_every": 4,
    }
    return TrainConfig(**{**values, **changes})  # type: ignore[arg-type]


class Toy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Linear(2, 3)
        self.head = nn.Linear(3, 1)


def test_backbone_and_vectors_have_their_own_rate_and_decay() -> None:
    groups = optimizer(Toy(), recipe()).param_groups

    found = {(group["lr"], group["weight_decay"]): [tuple(p.shape) for p in group["params"]] for group in groups}

    assert found == {(0.05, 0.05): [(3, 2)], (0.05, 0.0): [(3,)], (0.1, 0.05): [(1, 3)], (0.1, 0.0): [(1,)]}


def test_frozen_parameters_are_left_out() -> None:
    network = Toy()
    network.backbone.requires_grad_(requires_grad=False)

    shapes = [tuple(p.shape) for group in optimizer(network, recipe()).param_groups for p in group["params"]]

    assert shapes == [(1, 3), (1,)]


def test_the_rate_rises_linearly_then_falls_by_a_half_cosine() -> None:
    stepper = optimizer(Toy(), recipe())
    rates = schedule(stepper, recipe())
    shares = []
    for _ in range(12):
        shares.append(rates.get_last_lr()[-1] / 0.1)
        stepper.step()
        rates.step()

    assert shares[:3] == pytest.approx([0.5, 1.0, 1.0])
    assert shares[7] == pytest.approx(0.5)  # half way between steps 2 and 12
    assert shares[11] == pytest.approx(0.5 * (1 + torch.cos(torch.tensor(0.9 * torch.pi)).item()))


def test_the_rate_can_stay_level() -> None:
    rates = schedule(optimizer(Toy(), recipe()), recipe(decay="none"))

    assert rates.lr_lambdas[0](11) == 1.0


def test_the_rate_falls_in_steps_at_shares_of_the_run() -> None:
    config = recipe(decay="steps", decay_at=(0.5, 0.75), decay_factor=0.1)
    rates = schedule(optimizer(Toy(), config), config)

    shares = [rates.lr_lambdas[0](step) for step in range(12)]

    assert shares == pytest.approx([0.5, 1, 1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01])


def test_each_layer_of_a_vit_has_the_rate_of_the_one_behind_it_times_the_decay() -> None:
    network = nn.Module()
    network.backbone = nn.Module()
    network.backbone.body = timm.create_model("test_vit", num_classes=0)
    network.head = nn.Linear(3, 1)
    body: Any = network.backbone.body

    groups = optimizer(network, recipe(layer_decay=0.5)).param_groups
    found = {id(parameter): (group["lr"], group["weight_decay"]) for group in groups for parameter in group["params"]}

    assert found.keys() == {id(parameter) for parameter in network.parameters()}
    assert found[id(network.head.weight)] == pytest.approx((0.1, 0.05))
    assert found[id(body.norm.weight)] == pytest.approx((0.05, 0.0))
    rates = [found[id(block.mlp.fc1.weight)][0] for block in body.blocks]
    assert [later / earlier for earlier, later in pairwise(rates)] == pytest.approx([2.0] * (len(rates) - 1))
    assert found[id(body.patch_embed.proj.weight)][0] == pytest.approx(rates[0] / 2)
    assert found[id(body.pos_embed)][1] == 0.0


def test_layer_decay_of_a_backbone_without_known_layers_is_refused() -> None:
    network = Toy()
    network.backbone = nn.Module()  # type: ignore[assignment]
    network.backbone.body = nn.Linear(2, 3)

    with pytest.raises(Refusal, match=r"layer_decay: got 0\.5 with a backbone whose layers timm does not tell apart"):
        optimizer(network, recipe(layer_decay=0.5))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": 0}, "steps: got 0"),
        ({"checkpoint_every": 0}, "checkpoint_every: got 0"),
        ({"learning_rate": 2.0}, "learning_rate: got 2.0"),
        ({"warmup_steps": 13}, "warmup_steps: got 13"),
        ({"ema_decay": 1.0}, "ema_decay: got 1.0"),
        ({"micro_batch": 0}, "micro_batch: got 0, wanted at least 1, or null"),
        ({"layer_decay": 0.0}, "layer_decay: got 0.0"),
        ({"max_skipped_share": 1.0}, "max_skipped_share: got 1.0"),
        ({"decay": "steps"}, "decay_at: got "),
        ({"decay_at": (0.5,)}, "decay_at: got "),
        ({"decay": "steps", "decay_at": (0.9, 0.5)}, "decay_at: got .* wanted rising shares"),
        ({"evaluate_every": 3}, "evaluate_every: got 3, wanted a multiple of log_every = 2"),
    ],
)
def test_numbers_that_train_nothing_are_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        recipe(**change)
