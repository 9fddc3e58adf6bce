"""Look before the work: what is missing or broken on this machine, and the command that mends it."""

import importlib.metadata
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline import params
from pipeline.cluster import ClusterConfig, own_cpus, silence
from pipeline.equipment import codecs, cuda, dvc_remote, ray_token
from pipeline.posetrack.checks import check_root
from pipeline.posetrack.index import DataConfig
from pipeline.refusal import Refusal
from pipeline.sections import check_params
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.server import connect

PARAMS = Path("params.yaml")
MIN_DISK_GB = 5
MIN_SHARED_MEMORY_GB = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: Literal["ok", "warning", "blocks"]
    detail: str
    repair: str = ""
    """What to do, where something is to be done."""


def examine() -> Iterator[Finding]:
    """Everything, in the order in which one would mend it."""
    yield _guarded("params", _params)
    for what, look in LOOKS.items():
        yield _guarded(what, look)


def _guarded(what: str, look: Callable[[], tuple[str, str, str]]) -> Finding:
    """A look's finding; a refusal blocks."""
    try:
        state, detail, repair = look()
    except Refusal as refusal:
        return Finding(what=what, state="blocks", detail=str(refusal))
    return Finding(what=what, state=state, detail=detail, repair=repair)  # type: ignore[arg-type]


def _params() -> tuple[str, str, str]:
    check_params(PARAMS)
    return "ok", "every key known, typed and possible", ""


def _python() -> tuple[str, str, str]:
    version = ".".join(map(str, sys.version_info[:3]))
    fine = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return (
        ("ok" if fine else "blocks"),
        f"{version}, wanted 3.11 to 3.13",
        "" if fine else "make setup PYTHON=python3.11",
    )


def _packages() -> tuple[str, str, str]:
    """Compare what is installed with the lock, by name and version."""
    lock = Path("requirements.lock")
    if not lock.exists():
        return "warning", "no requirements.lock here", "run from the project's root"
    from packaging.requirements import Requirement  # noqa: PLC0415

    wrong = []
    for line in lock.read_text(encoding="utf-8").splitlines():
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        found = _version(wanted.name)
        if found is None or not wanted.specifier.contains(found, prereleases=True):
            wrong.append(f"{wanted.name} {found or 'absent'}, wanted {wanted.specifier}")
    if wrong:
        return (
            "warning",
            f"{len(wrong)} packages differ from requirements.lock: {'; '.join(wrong[:3])}",
            "rm -rf .venv && make setup",
        )
    return "ok", "as in requirements.lock", ""


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _torch() -> tuple[str, str, str]:
    """Call a compiled operator of torchvision: a torch of another build breaks it, and timm with it."""
    import torch  # noqa: PLC0415
    import torchvision  # noqa: PLC0415

    pair = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
    try:
        torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except RuntimeError as error:
        return "blocks", f"{pair} do not fit together: {str(error).splitlines()[0]}", "rm -rf .venv && make setup"
    return "ok", f"{pair}, {torch.cuda.device_count()} GPUs", ""


def _cpus() -> tuple[str, str, str]:
    config = params.load(PARAMS, "cluster", into=ClusterConfig)
    wanted, have = config.fewest * config.cpus_per_worker, own_cpus()
    if "RAY_ADDRESS" not in os.environ and wanted > have:
        return (
            "blocks",
            f"got {have} CPUs here, wanted {wanted:g} for cluster.workers",
            f"set cluster.cpus_per_worker to {int(100 * have / config.fewest) / 100:g}",
        )
    return "ok", f"{config.workers} workers, {config.cpus_per_worker:g} CPUs each", ""


def _gpus() -> tuple[str, str, str]:
    import torch  # noqa: PLC0415

    config = params.load(PARAMS, "cluster", into=ClusterConfig)
    wanted, have = config.fewest * config.gpus_per_worker, torch.cuda.device_count()
    if "RAY_ADDRESS" not in os.environ and wanted > have:
        return (
            "blocks",
            f"got {have} GPUs here, wanted {wanted:g} for cluster.workers",
            "set cluster.gpus_per_worker to 0",
        )
    return "ok", f"{config.workers} workers, {wanted:g} GPUs", ""


def _ray() -> tuple[str, str, str]:
    address = os.environ.get("RAY_ADDRESS")
    version = _version("ray")
    if not address or address in {"auto", "local"}:
        return "ok", f"{version}, a private cluster on this machine for each stage", ""
    reason = silence(address)
    if reason:
        return "blocks", f"RAY_ADDRESS {address} does not answer ({reason})", "start it, or unset RAY_ADDRESS"
    return "ok", f"{version}, cluster at {address}", ""


def _data() -> tuple[str, str, str]:
    """The data root, unless it is what a stage of dvc.yaml makes."""
    root = params.load(PARAMS, "data", into=DataConfig).root
    made = {
        out
        for stage in params.read(Path("dvc.yaml"))["stages"].values()
        for out in stage["outs"]
        if isinstance(out, str)
    }
    if str(root) in made:
        return "ok", f"{root} is what a stage of the pipeline makes", ""
    check_root(root)
    return "ok", f"{root} has annotations that can be read", ""


def _tracking() -> tuple[str, str, str]:
    config = params.load(PARAMS, "tracking", into=TrackingConfig)
    connect(config)
    return "ok", config.shown_uri, ""


def _storage() -> tuple[str, str, str]:
    config = params.load(PARAMS, "cluster", into=ClusterConfig)
    if "://" in config.storage:
        return "ok", f"{config.storage}, checked by the first worker", ""
    folder = Path(config.storage_path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return "blocks", f"cluster.storage {config.storage} cannot be written ({error})", "set it to a folder that can"
    return "ok", str(config.storage), ""


def _disk() -> tuple[str, str, str]:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    short = free < MIN_DISK_GB
    return ("warning" if short else "ok"), f"{free:.0f} GB free", "make room: `dvc gc --workspace`" if short else ""


def _shared_memory() -> tuple[str, str, str]:
    shm = Path("/dev/shm")  # noqa: S108  (it is what Ray uses)
    if not shm.is_dir():
        return "ok", "not used on this system", ""
    size = shutil.disk_usage(shm).total / 1e9
    short = size < MIN_SHARED_MEMORY_GB
    return ("warning" if short else "ok"), f"{size:.1f} GB", "docker run --shm-size=2g" if short else ""


LOOKS: dict[str, Callable[[], tuple[str, str, str]]] = {
    "python": _python,
    "packages": _packages,
    "torch": _torch,
    "cuda": cuda,
    "cpus": _cpus,
    "gpus": _gpus,
    "ray": _ray,
    "ray token": ray_token,
    "data": _data,
    "tracking": _tracking,
    "dvc remote": dvc_remote,
    "storage": _storage,
    "disk": _disk,
    "shared memory": _shared_memory,
    "codecs": codecs,
}
