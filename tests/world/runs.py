"""Training runs of a tiny network on the drawn world, each by a driver of its own, for tests that break them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from pipeline import params
from pipeline.artifacts import write_text
from pipeline.posetrack.index import PrepareConfig, prepare, read_index
from pipeline.shards.border import Views
from pipeline.shards.pack import pack_splits
from pipeline.shards.recipe import Recipe, ShardConfig
from pipeline.training.checkpoints import Checkpoints
from tests.world.checks import check_config
from tests.world.clips import OFFSETS, SIZE, model_config
from tests.world.clone import ROOT

SECONDS = 240.0
"""Behind this a run hangs."""
STEPS = 48
DRIVER = """
import sys
from pathlib import Path
from pipeline.cluster import connected
from pipeline.entry import run_stage
from pipeline.training.job import from_params
from pipeline.training.launch import close, train

def main(shards: Path, out: Path) -> None:
    job = from_params(Path("params.yaml"), kind="dual", section="train", shards=shards)
    with connected():
        outcome = train(job, out, listen=lambda row: None)
        close(job, outcome)
    print("finished", outcome.name, flush=True)

run_stage(main)
"""


def settle(folder: Path, world: Path) -> None:
    """Make `folder` one that runs start from: the code, and shards of the drawn world."""
    for package in ("dsn", "pipeline"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    config = PrepareConfig(select_share=0.3, window=5, seed=0, checks=check_config(max_bad_share=0.5))
    prepare(world, folder / "index", config)
    shard = ShardConfig(coverage=0.99, quality=90, reach=4, samples_per_shard=40, min_shards=12, seed=0)
    views = Views(rotation=10.0, rotation_probability=0.2, scale=0.1, shift=0.05)
    recipe = Recipe(shard=shard, input_size=SIZE, offsets=OFFSETS, views=views)
    pack_splits(read_index(folder / "index"), world, folder / "shards", recipe, run=map)


def small_params(**changes: Mapping[str, Any]) -> dict[str, Any]:
    """params.yaml for a tiny network and few steps, with `changes` by section."""
    values = params.read(ROOT / "params.yaml")
    values["model"] = json.loads(json.dumps(asdict(model_config())))
    values["train"] |= {
        "learning_rate": 2e-3,
        "steps": STEPS,
        "batch_size": 12,
        "backbone_rate": 0.5,
        "warmup_steps": 2,
        "log_every": 1,
        "evaluate_every": STEPS // 2,
        "checkpoint_every": 4,
    }
    values["cluster"] |= {"cpus_per_worker": 0.5}
    for section, change in changes.items():
        values[section] |= change
    return values


@dataclass(slots=True)
class Driver:
    """A driver process whose output is read line by line."""

    process: subprocess.Popen[str]
    storage: Path
    out: Path
    lines: list[str]

    def until(self, begin: str) -> str:
        """Read on until a line begins so; gives the line."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith(begin):
                return line
        raise AssertionError(f"no line began with {begin!r}:\n{self.output}")

    def end(self) -> int:
        """Wait for the process; gives its status."""
        assert self.process.stdout is not None
        with self.process.stdout as rest:
            self.lines.extend(rest)
        return self.process.wait(timeout=SECONDS)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self.process.send_signal(signal.SIGKILL)
        self.end()

    @property
    def output(self) -> str:
        """All that was read."""
        return "".join(self.lines)

    def steps_told(self) -> list[int]:
        """The steps of the lines of progress, in order."""
        told = (line.split("/")[0] for line in self.lines if line.startswith("step ") and " loss " in line)
        return [int(text.removeprefix("step ")) for text in told]

    def checkpoints(self) -> Checkpoints:
        """Those of the only run in the storage."""
        (folder,) = self.storage.glob("dual-*")
        return Checkpoints(str(folder))


def drive(folder: Path, name: str, *, prefix: Sequence[str] = (), **changes: Mapping[str, Any]) -> Driver:
    """Start a driver that keeps its run in a storage of its own, called `name`; the same name goes on with the run.

    What `prefix` says goes before its command line, as to run it on another host.
    """
    storage, out = folder / "storage" / name, folder / "out" / name
    cluster = {"storage": str(storage), **changes.get("cluster", {})}
    write_text(folder / "params.yaml", json.dumps(small_params(**(changes | {"cluster": cluster}))))
    process = subprocess.Popen(
        [*prefix, sys.executable, "-c", DRIVER, "--shards", str(folder / "shards"), "--out", str(out)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Driver(process, storage, out, [])


def workers(count: int) -> list[psutil.Process]:
    """The newest training workers of the Ray that this process started."""
    below = psutil.Process().children(recursive=True)
    found = [process for process in below if process.name().startswith("ray::RayTrainW")]
    return sorted(found, key=psutil.Process.create_time)[-count:]


def final_weights(driver: Driver) -> dict[str, torch.Tensor]:
    """Every weight of the last checkpoint, of the network and of its average, and of the network that was chosen."""
    with driver.checkpoints().fetched(STEPS) as folder:
        state = torch.load(folder / "run.pt", weights_only=True)
    kept = {f"{part}.{name}": value for part in ("network", "average") for name, value in state[part].items()}
    chosen = torch.frombuffer(bytearray((driver.out / "network.safetensors").read_bytes()), dtype=torch.uint8)
    return kept | {"chosen": chosen}
