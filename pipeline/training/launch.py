"""Launch a training run on Ray, follow it from the driver, and bring its best network home."""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.refusal import Refusal
from pipeline.shards.fitness import refuse_few, refuse_narrow
from pipeline.shards.manifest import read_manifest
from pipeline.training.job import Job, run_name
from pipeline.training.recipe import Row
from pipeline.training.storage import RunFolder
from pipeline.training.yardstick import SCORE

log = logging.getLogger(__name__)

END = None
"""The last thing in the queue of progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a finished run leaves."""

    name: str
    best: Row
    """Scores and step of the checkpoint that was kept."""
    history: list[Row]
    """Every line of progress, also those from before an interruption."""


def train(job: Job, out: Path, *, listen: Callable[[Row], None]) -> Outcome:
    """Run `job` to its end and write the network that scores best on the select split to `out`.

    `listen` hears every line of progress on the driver. A run that was interrupted goes on from its last checkpoint;
    one that had finished starts over, for only a forced stage comes back to it.
    """
    _check(job)
    name = run_name(job)
    kept = RunFolder(f"{job.cluster.storage_path}/{name}")
    _announce(kept, name, storage=job.cluster.storage)
    result = _fit(job, name, listen)
    best = result.get_best_checkpoint(SCORE, "max")
    scores = next(dict(metrics) for kept, metrics in result.best_checkpoints if kept == best)
    with result.checkpoint.as_directory() as folder:
        history = _history(Path(folder))
    with best.as_directory() as folder:
        shutil.copytree(Path(folder, "model"), out, dirs_exist_ok=True)
    kept.finish({"step": job.train.steps})
    return Outcome(name=name, best=scores, history=history)


def _fit(job: Job, name: str, listen: Callable[[Row], None]) -> Any:
    """Ray's result. A refusal of a worker rises as it is."""
    from ray.train import TrainingFailedError  # noqa: PLC0415  (after the environment is set)

    refusals: list[Refusal] = []
    try:
        with _following(listen, refusals, last=job.train.steps) as queue:
            return _trainer(job, name, queue).fit()
    except TrainingFailedError:
        if refusals:
            raise refusals[-1] from None
        raise


def _check(job: Job) -> None:
    if job.train.batch_size % job.cluster.workers:
        raise Refusal(
            f"batch_size: got {job.train.batch_size}, wanted a multiple of cluster.workers = {job.cluster.workers}, "
            "so that every rank has the same share"
        )
    manifest = read_manifest(job.split("train"))
    refuse_few(len(manifest.shards), what="split train", ranks=job.cluster.workers, workers=job.reader.workers)
    refuse_narrow(manifest, job.reader.augment)


def _announce(kept: RunFolder, name: str, *, storage: str) -> None:
    if kept.is_finished():
        kept.remove()
    if kept.has_checkpoints():
        log.info("resuming %s from its last checkpoint in %s", name, storage)
    else:
        log.info("starting %s, checkpoints in %s", name, storage)


def _history(folder: Path) -> list[Row]:
    import torch  # noqa: PLC0415  (the driver needs it here alone)

    state: dict[str, Any] = torch.load(folder / "run.pt", map_location="cpu", weights_only=True)
    return list(state["history"])


def _trainer(job: Job, name: str, queue: Any) -> Any:
    import ray.train  # noqa: PLC0415  (after the environment is set)
    from ray.train.torch import TorchTrainer  # noqa: PLC0415

    resources = {"CPU": job.cluster.cpus_per_worker, "GPU": job.cluster.gpus_per_worker}
    return TorchTrainer(
        _work,
        train_loop_config={"job": job.to_dict(), "queue": queue},
        scaling_config=ray.train.ScalingConfig(
            num_workers=job.cluster.workers,
            use_gpu=job.cluster.gpus_per_worker > 0,
            resources_per_worker={kind: amount for kind, amount in resources.items() if amount},
        ),
        run_config=ray.train.RunConfig(
            name=name,
            storage_path=job.cluster.storage_path,
            failure_config=ray.train.FailureConfig(max_failures=job.cluster.max_failures),
            checkpoint_config=ray.train.CheckpointConfig(
                num_to_keep=2, checkpoint_score_attribute=SCORE, checkpoint_score_order="max"
            ),
        ),
    )


def _work(values: dict[str, Any]) -> None:
    """What runs in every worker; the driver does not import it, for networks take seconds to import."""
    from pipeline.training.worker import work  # noqa: PLC0415

    work(values)


@contextmanager
def _following(listen: Callable[[Row], None], refusals: list[Refusal], *, last: int) -> Iterator[Any]:
    """A queue whose rows are printed and handed to `listen` while the block runs, and whose refusals are gathered."""
    from ray.util.queue import Queue  # noqa: PLC0415

    queue = Queue(actor_options={"num_cpus": 0})
    follower = threading.Thread(target=_follow, args=(queue, listen, refusals, last), daemon=True)
    follower.start()
    try:
        yield queue
    finally:
        queue.put(END)
        follower.join()
        queue.shutdown()


def _follow(queue: Any, listen: Callable[[Row], None], refusals: list[Refusal], last: int) -> None:
    began: tuple[float, float] | None = None
    while (row := queue.get()) is not END:
        if isinstance(row, Refusal):
            refusals.append(row)
            continue
        if isinstance(row, str):
            log.warning("%s", row)
            continue
        began = began or (time.monotonic(), row["step"])
        log.info("%s", _line(row, began=began, last=last))
        listen(row)


def _line(row: Row, *, began: tuple[float, float], last: int) -> str:
    """One line of progress: `step 200/800  loss 0.0012  310 samples/s  2:05 left`."""
    step = row["step"]
    shown = [f"step {step:.0f}/{last}"]
    shown += [f"loss {row['loss']:.5f}", f"{row['samples_per_second']:.0f} samples/s"] if "loss" in row else []
    shown += [f"{name} {value:.1f}" for name, value in row.items() if name.startswith("select/")]
    shown += [f"{row['quarantined']:.0f} quarantined"] if row.get("quarantined") else []
    since, first = began
    if step > first:
        left = (time.monotonic() - since) / (step - first) * (last - step)
        shown.append(f"{left // 60:.0f}:{left % 60:02.0f} left")
    return "  ".join(shown)
