"""The state of a run: all that a checkpoint holds, and all that going on needs."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from timm.utils.model_ema import ModelEmaV3
from torch import distributed, nn

from dsn import checkpoint
from pipeline.training.checkpoints import HISTORY, read_history
from pipeline.training.optimizer import optimizer, schedule
from pipeline.training.recipe import Recipe, Row
from pipeline.training.step import bare

STATE = "run.pt"


@dataclass(slots=True)
class Sums:
    """Sums of a row's numbers since the last line of progress."""

    totals: Row = field(default_factory=dict)
    steps: int = 0

    def add(self, row: Row) -> None:
        """Take in one step, if there was one to measure."""
        self.steps += bool(row)
        for name, value in row.items():
            self.totals[name] = self.totals.get(name, 0.0) + value

    def means(self) -> Row:
        """The means; the next interval begins."""
        means = {name: total / self.steps for name, total in self.totals.items()}
        self.totals, self.steps = {}, 0
        return means


@dataclass(slots=True, kw_only=True)
class Run:
    """The whole state of a run.

    Randomness is not part of it: each step's draws follow from (seed, step, share of the batch), and what is read
    follows from (seed, epoch, step), so the step stands for the generators of every rank and for the reader's place.
    """

    network: nn.Module
    average: ModelEmaV3
    stepper: torch.optim.AdamW
    rates: torch.optim.lr_scheduler.LambdaLR
    recipe: Recipe
    step: int = 0
    skipped: int = 0
    """Steps that were left out because they were not finite."""
    sums: Sums = field(default_factory=Sums)
    history: list[Row] = field(default_factory=list)

    def agree(self) -> None:
        """Take over rank 0's BatchNorm statistics, the only part of the state in which ranks differ."""
        if distributed.is_initialized():
            for module in (self.network, self.average.module):
                for buffer in module.buffers():
                    distributed.broadcast(buffer, src=0)

    def state(self) -> dict[str, Any]:
        """All that a resume needs; its tensors are the run's own."""
        return {
            "network": bare(self.network).state_dict(),
            "average": self.average.module.state_dict(),
            "stepper": self.stepper.state_dict(),
            "rates": self.rates.state_dict(),
            "step": self.step,
            "skipped": self.skipped,
            "sums": {"totals": self.sums.totals, "steps": self.sums.steps},
            "history": self.history,
        }

    def load(self, folder: Path) -> None:
        """Go on from what `write` wrote."""
        state: dict[str, Any] = torch.load(folder / STATE, map_location="cpu", weights_only=True)
        bare(self.network).load_state_dict(state["network"])
        self.average.module.load_state_dict(state["average"])
        self.stepper.load_state_dict(state["stepper"])
        self.rates.load_state_dict(state["rates"])
        self.step, self.skipped = state["step"], state["skipped"]
        self.sums, self.history = Sums(**state["sums"]), read_history(folder)


def write(folder: Path, *, state: Mapping[str, Any], networks: Mapping[str, Any], recipe: Recipe) -> None:
    """Write a state into `run.pt` and `history.json`, and networks that load alone into folders by their names.

    `model` has the averaged weights: it is what was evaluated, and what later stages read. `raw` has those that the
    optimiser moves.

    Raises:
        OSError: there is no room for it.
    """
    (folder / HISTORY).write_text(json.dumps(state["history"]), encoding="utf-8")
    try:
        with (folder / STATE).open("wb") as file:
            torch.save({name: value for name, value in state.items() if name != "history"}, file)
        for name, network in networks.items():
            checkpoint.save(folder / name, network, config=recipe.model, skeleton=recipe.skeleton)
    except RuntimeError as error:  # torch's writer trips over the file's own error, which says what is wrong
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise
    except SafetensorError as error:
        raise OSError(str(error)) from error


def start(network: nn.Module, recipe: Recipe, *, wrap: Callable[[nn.Module], nn.Module] | None = None) -> Run:
    """A run at step 0; `wrap` makes of the network one that works together with those of other ranks."""
    network.get_submodule("backbone").requires_grad_(recipe.train.backbone_rate > 0)
    stepper = optimizer(network, recipe.train)
    average = ModelEmaV3(network, decay=recipe.train.ema_decay, use_warmup=True)
    if recipe.train.compile:
        network.compile()  # in place, so that its weights keep their names
    return Run(
        network=network if wrap is None else wrap(network),
        average=average,
        stepper=stepper,
        rates=schedule(stepper, recipe.train),
        recipe=recipe,
    )
