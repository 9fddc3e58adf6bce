"""Processes that read beside the one that trains."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from pipeline.refusal import Refusal
from pipeline.shards.batch import ClipBatch
from pipeline.shards.reader import ReaderConfig, evaluation_batches, training_batches

MakeReader = Callable[..., ReaderConfig]
ROOT = Path(__file__).parents[3]
VARIED = {"flip": 0.5, "rotation": 45.0, "rotation_probability": 0.6, "scale": 0.35, "shift": 0.1, "occluder": 0.5}


def training(folder: Path, config: ReaderConfig, **changes: Any) -> Iterator[ClipBatch]:
    arguments: dict[str, Any] = {"batch_size": 4, "seed": 0, "epoch": 0, "rank": 0, "world": 1} | changes
    return training_batches(folder / "train", config, input_size=(32, 24), **arguments)


def test_a_process_that_reads_imports_no_torch() -> None:
    code = "import sys, pipeline.shards.processes; sys.exit(bool({'torch', 'ray', 'pandas'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_reading_processes_change_nothing_from_any_step_on(workers: int, packed: Path, make_reader: MakeReader) -> None:
    alone = list(training(packed, make_reader(**VARIED)))
    for first in (0, 3):
        helped = list(training(packed, make_reader(workers=workers, prefetch=2, **VARIED), first_step=first))

        assert [batch.keys for batch in helped] == [batch.keys for batch in alone[first:]]
        for one, two in zip(alone[first:], helped, strict=True):
            assert torch.equal(one.frames, two.frames)
            assert torch.equal(one.keypoints, two.keypoints)
            assert torch.equal(one.to_source, two.to_source)


@pytest.mark.slow
def test_evaluation_sees_every_sample_once_for_any_ranks_and_processes(packed: Path) -> None:
    wanted = [f"00000{v}_b-{f:06d}-{p:03d}" for v in (4, 5) for f in range(7) for p in range(2)]
    for world, workers in ((1, 2), (2, 3)):
        batches = [
            batch
            for rank in range(world)
            for batch in evaluation_batches(
                packed / "val", input_size=(32, 24), batch_size=3, rank=rank, world=world, workers=workers
            )
        ]
        assert [key for batch in batches for key in batch.keys] == wanted


@pytest.mark.slow
def test_batches_without_a_wanted_sample_do_not_disturb_the_order(packed: Path) -> None:
    one, other = (
        [
            key
            for batch in evaluation_batches(
                packed / "val", input_size=(32, 24), batch_size=1, bbox="neighbour", workers=workers
            )
            for key in batch.keys
        ]
        for workers in (0, 2)
    )

    assert len(one) == 20
    assert one == other


@pytest.mark.slow
def test_a_batch_stays_readable_when_its_process_has_gone(packed: Path, make_reader: MakeReader) -> None:
    batches = training(packed, make_reader(workers=1, prefetch=1))
    first = next(batches)
    before = first.frames.clone()

    del batches

    assert not active_children()
    assert torch.equal(first.frames, before)


@pytest.mark.slow
def test_a_refusal_of_a_process_rises_as_it_is(packed: Path, tmp_path: Path) -> None:
    for path in (packed / "val").iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "000002.tar").unlink()

    with pytest.raises(Refusal, match=r"000002.tar: no such file, though manifest.json lists it"):
        list(evaluation_batches(tmp_path, input_size=(32, 24), batch_size=4, workers=2))


PARENT = """
import sys
from multiprocessing import active_children
from pathlib import Path
from pipeline.shards.reader import evaluation_batches

if __name__ == "__main__":
    batches = evaluation_batches(Path(sys.argv[1]), input_size=(32, 24), batch_size=1, workers=2)
    next(batches)
    print(*(child.pid for child in active_children()), flush=True)
    input()
"""


@pytest.mark.slow
def test_processes_end_with_the_one_that_they_read_for(packed: Path, tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    command = [sys.executable, str(script), str(packed / "val")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        readers = [psutil.Process(int(number)) for number in parent.stdout.readline().split()]
        parent.kill()

    assert len(readers) == 2
    assert psutil.wait_procs(readers, timeout=30)[1] == []


@pytest.mark.slow
def test_a_process_that_is_killed_is_an_error_and_no_hang(packed: Path, make_reader: MakeReader) -> None:
    batches = training(packed, make_reader(workers=2, prefetch=1))
    next(batches)
    for child in active_children():
        os.kill(child.pid or 0, signal.SIGKILL)

    with pytest.raises(RuntimeError, match="terminated abruptly"):
        list(batches)
