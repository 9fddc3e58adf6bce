"""Ranks, each a process of its own, train as one process does."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[3]
Seen = list[dict[str, Any]]
"""What each rank wrote down."""


def run_ranks(folder: Path, *, world: int) -> Seen:
    """What each of some ranks saw."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world)}
    command = [sys.executable, "-W", "ignore", "-m", "tests.world.ranks", str(folder)]
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=environment | {"RANK": str(rank), "OMP_NUM_THREADS": "1"})
        for rank in range(world)
    ]
    assert [process.wait(timeout=500) for process in processes] == [0] * world
    return [torch.load(folder / f"{rank}.pt") for rank in range(world)]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Seen]:
    """What each of one, two and three ranks saw, with the same batches of three shares."""
    return {world: run_ranks(tmp_path_factory.mktemp("ranks"), world=world) for world in (1, 2, 3)}


@pytest.mark.parametrize("world", [2, 3])
def test_the_gradient_on_ranks_is_that_of_one_process_with_the_same_batch(world: int, seen: dict[int, Seen]) -> None:
    alone = seen[1][0]["gradient"]

    for rank in seen[world]:
        assert (rank["gradient"] - alone).norm() <= 1e-5 * alone.norm()


@pytest.mark.parametrize("world", [1, 2, 3])
def test_a_run_on_ranks_that_is_resumed_ends_bit_identical(world: int, seen: dict[int, Seen]) -> None:
    assert [rank["changed"] for rank in seen[world]] == [[]] * world


def test_ranks_agree_on_the_statistics_of_rank_0_before_they_evaluate(seen: dict[int, Seen]) -> None:
    for rank in seen[2]:
        assert rank["agreed"] == [[0.0] * 3, [10.0] * 3]


@pytest.mark.parametrize("fault", ["waiting", "slowed"])
def test_a_slow_rank_is_named_once_and_the_time_of_all_is_accounted_for(fault: str, seen: dict[int, Seen]) -> None:
    (notices, rows), (slow, _) = (rank[fault] for rank in seen[2])

    assert notices == []
    assert len(slow) == 1
    assert slow[0].startswith("step 6: rank 1 (process ")
    times = [{name: value for name, value in row.items() if name.startswith("time/")} for row in rows if "loss" in row]
    assert [sum(one.values()) for one in times] == pytest.approx([1.0] * 6)
    assert times[2]["time/ranks"] > times[2]["time/data"] + times[2]["time/compute"]  # rank 0 waits for rank 1


def test_a_slow_rank_is_told_apart_by_whether_it_waits_for_data_or_computes(seen: dict[int, Seen]) -> None:
    [waiting], [slowed] = seen[2][1]["waiting"][0], seen[2][1]["slowed"][0]

    assert share_of_data(waiting) > 0.5
    assert share_of_data(slowed) < 0.5


def share_of_data(notice: str) -> float:
    """How much of a rank's time goes into waiting for its data."""
    found = re.search(r"it needs ([\d.]+) s a step, ([\d.]+) s of them for data", notice)
    assert found is not None, notice
    return float(found[2]) / float(found[1])


def test_of_ranks_that_are_equally_fast_none_is_named(seen: dict[int, Seen]) -> None:
    assert [notices for rank in seen[2] for notices, _ in [rank["alike"]]] == [[], []]


@pytest.mark.parametrize("world", [1, 2])
def test_a_network_that_is_compiled_learns_what_it_would_learn_as_it_is(world: int, seen: dict[int, Seen]) -> None:
    for rank in seen[world]:
        fast, plain = rank["compiled"]
        assert len(fast) == 8
        assert fast == pytest.approx(plain, rel=1e-5)
