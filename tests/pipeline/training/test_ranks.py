"""Two ranks, each a process of its own."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

ROOT = Path(__file__).parents[3]
RANK = """
import os, sys
import torch
from timm.utils.model_ema import ModelEmaV3
from torch import distributed, nn
from pipeline.training.run import Run
from pipeline.training.worker import together

rank = int(os.environ["RANK"])
distributed.init_process_group("gloo", rank=rank, world_size=2)
torch.manual_seed(0)
network = nn.Sequential(nn.Linear(6, 5), nn.GELU(), nn.Linear(5, 2))
share = torch.randn(8, 6)[4 * rank : 4 * rank + 4]
shared = together(network)
shared(share).square().mean().backward()
normed = nn.BatchNorm1d(6)
run = Run(network=together(normed), average=ModelEmaV3(normed), stepper=None, rates=None, recipe=None)
run.network(share)
run.average.update(normed)
own = normed.running_mean.clone()
run.agree()
torch.save(
    {
        "gradients": [parameter.grad for parameter in network.parameters()],
        "own": own,
        "agreed": normed.running_mean,
        "averaged": run.average.module.running_mean,
    },
    f"{sys.argv[1]}/{rank}.pt",
)
"""


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two ranks saw."""
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen([sys.executable, "-c", RANK, str(folder)], cwd=ROOT, env={**environment, "RANK": str(rank)})
        for rank in range(2)
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.slow
def test_gradients_of_two_ranks_are_those_of_one_process_on_the_whole_batch(ranks: list[dict[str, Any]]) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 5), nn.GELU(), nn.Linear(5, 2))
    network(torch.randn(8, 6)).square().mean().backward()

    for rank in ranks:
        for found, parameter in zip(rank["gradients"], network.parameters(), strict=True):
            torch.testing.assert_close(found, parameter.grad, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_ranks_agree_on_the_statistics_of_rank_0_before_they_evaluate(ranks: list[dict[str, Any]]) -> None:
    first, second = ranks

    assert not torch.equal(first["own"], second["own"])
    assert torch.equal(first["agreed"], first["own"])
    assert torch.equal(second["agreed"], first["own"])
    assert torch.equal(second["averaged"], first["averaged"])
