"""The optimiser's groups and rates."""

import pytest
import torch
from torch import nn

from pipeline.training.config import TrainConfig
from pipeline.training.step import optimizer, schedule


def recipe(**changes: object) -> TrainConfig:
    values: dict[str, object] = {
        "seed": 0,
        "steps": 12,
        "batch_size": 4,
        "learning_rate": 0.1,
        "backbone_rate": 0.5,
        "weight_decay": 0.05,
        "warmup_steps": 2,
        "decay": "cosine",
        "clip_norm": 1.0,
        "ema_decay": 0.9,
        "precision": "fp32",
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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": 0}, "steps: got 0"),
        ({"checkpoint_every": 0}, "checkpoint_every: got 0"),
        ({"learning_rate": 2.0}, "learning_rate: got 2.0"),
        ({"warmup_steps": 13}, "warmup_steps: got 13"),
        ({"ema_decay": 1.0}, "ema_decay: got 1.0"),
        ({"evaluate_every": 3}, "evaluate_every: got 3, wanted a multiple of log_every = 2"),
    ],
)
def test_numbers_that_train_nothing_are_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        recipe(**change)
