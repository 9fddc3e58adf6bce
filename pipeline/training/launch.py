"""Launch a training run on Ray, follow it from the driver, and bring its best network home."""

import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.refusal import Refusal
from pipeline.shards.fitness import refuse_few, refuse_narrow
from pipeline.shards.manifest import read_manifest
from pipeline.training.checkpoints import Checkpoints, read_history
from pipeline.training.desk import opened_desk
from pipeline.training.follow import following
from pipeline.training.job import Job, refuse_unfit, run_name
from pipeline.training.recipe import Row
from pipeline.training.room import nodes, refuse_cramped
from pipeline.training.shared import mark, refuse_unshared
from pipeline.training.sole import sole
from pipeline.training.storage import RunFolder

NOTICE = 20.0
"""Seconds between two looks for hosts that have come back; Ray's own list of hosts is as old at most."""

log = logging.getLogger(__name__)


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
    one that `close` has closed starts over, for only a forced stage comes back to it.

    Raises:
        Refusal: the job cannot be run, is run by another driver, or was ended by SIGTERM.
    """
    _check(job)
    keys = "cluster.workers, cluster.cpus_per_worker, cluster.gpus_per_worker"
    refuse_cramped(nodes(), job.cluster.share, fewest=job.cluster.fewest, what="workers", keys=keys)
    refuse_unshared(job.cluster.storage_path)
    name = run_name(job)
    folder = RunFolder(f"{job.cluster.storage_path}/{name}")
    with sole(folder.url), opened_desk(name) as desk:
        _announce(folder, name, storage=job.cluster.storage)
        _fit(job, name, folder=folder.url, desk=desk, listen=listen)
        return _collect(name, Checkpoints(folder.url), out)


def close(job: Job, outcome: Outcome) -> None:
    """Mark `job`'s run as one whose outcome is kept: until then, the same command goes on with it."""
    RunFolder(f"{job.cluster.storage_path}/{outcome.name}").finish({"step": job.train.steps})


def _check(job: Job) -> None:
    refuse_unfit(job)
    manifest = read_manifest(job.split("train"))
    refuse_few(len(manifest.shards), what="split train", ranks=job.cluster.workers, workers=job.reader.workers)
    refuse_narrow(manifest, job.reader.augment)


def _announce(folder: RunFolder, name: str, *, storage: str) -> None:
    if folder.is_finished():
        folder.remove()
    found = Checkpoints(folder.url).all()
    if found:
        log.info("resuming %s from the checkpoint of step %d in %s", name, found[-1].step, storage)
    else:
        log.info("starting %s, checkpoints in %s", name, storage)


def _fit(job: Job, name: str, *, folder: str, desk: Any, listen: Callable[[Row], None]) -> None:
    """Run the workers to their end.

    Raises:
        Refusal: a worker refused, or SIGTERM ended the run.
        KeyboardInterrupt: Ctrl-C did, which Ray turns into an exit with status 0.
    """
    from ray.train import TrainingFailedError  # noqa: PLC0415  (after the environment is set)

    reasons: list[Refusal] = []
    values = {"job": job.to_dict(), "folder": folder, "mark": mark(folder), "desk": desk}
    try:
        with tempfile.TemporaryDirectory() as own, following(listen, desk=desk, last=job.train.steps) as run:
            reasons = run.reasons
            _trainer(job, name, values=values, own=own).fit()
    except (TrainingFailedError, SystemExit, KeyboardInterrupt) as error:
        if reasons:
            raise reasons[-1] from None
        if isinstance(error, SystemExit):
            raise KeyboardInterrupt from None
        raise


def _trainer(job: Job, name: str, *, values: dict[str, Any], own: str) -> Any:
    """Ray's trainer. `own` is a folder for what it notes for itself: checkpoints are ours, not Ray's.

    Ray's list of checkpoints is one file, overwritten in place: a driver killed or a disk full at that moment leaves a
    run that cannot be resumed.
    """
    import ray.train  # noqa: PLC0415  (after the environment is set)
    from ray.train.torch import TorchTrainer  # noqa: PLC0415
    from ray.train.v2.api.config import ScalingConfig  # noqa: PLC0415  (types of `ray.train` are those of Train V1)

    return TorchTrainer(
        _work,
        train_loop_config=values,
        scaling_config=ScalingConfig(
            num_workers=job.cluster.scale,
            elastic_resize_monitor_interval_s=NOTICE,
            use_gpu=job.cluster.gpus_per_worker > 0,
            resources_per_worker=job.cluster.share,
        ),
        run_config=ray.train.RunConfig(
            name=name,
            storage_path=own,
            failure_config=ray.train.FailureConfig(max_failures=job.cluster.max_failures),
        ),
    )


def _work(values: dict[str, Any]) -> None:
    """What runs in every worker; the driver does not import it, for networks take seconds to import."""
    from pipeline.training.worker import work  # noqa: PLC0415

    work(values)


def _collect(name: str, checkpoints: Checkpoints, out: Path) -> Outcome:
    """Bring the best network home, and the whole history."""
    best, newest = checkpoints.best(log.warning), checkpoints.rewind(log.warning)
    if best is None or newest is None:
        raise Refusal(f"{checkpoints.url}: got no sound checkpoint with scores at the end of the run; run it again")
    with checkpoints.fetched(newest) as folder:
        history = read_history(folder)
    with checkpoints.fetched(best.step) as folder:
        shutil.copytree(folder / "model", out, dirs_exist_ok=True)
        shutil.copyfile(folder / "raw" / "network.safetensors", out / "raw.safetensors")
    return Outcome(name=name, best=best.scores or {}, history=history)
