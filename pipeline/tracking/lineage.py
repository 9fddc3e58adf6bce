"""Where a run comes from: the code, the data and the stage, as tags."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline import params

LOCK = Path("dvc.lock")
"""What DVC knows of the outputs."""
RECORDS = (str(LOCK), "params.yaml")
"""Files that are kept with a run and its version."""
PACKAGES = ("dsn", "pipeline", "stages")
"""Folders of the code that travels."""
CODE = tuple(f"{package}/*.py" for package in PACKAGES)
"""Modules that are imported once they are there, at any depth; git need not know them."""
LIBRARIES = ("mlflow", "numpy", "opencv-python", "ray", "timm", "torch", "torchvision", "webdataset")


def lineage(manifests: Mapping[str, Any]) -> dict[str, str]:
    """Tags that say which code and data a run used; `manifests` are those of the shards, by split."""
    tags = {f"data.{split}": data_hash(manifest) for split, manifest in manifests.items()}
    tags["dvc.stage"] = os.environ.get("DVC_STAGE", "")
    tags["dvc.experiment"] = os.environ.get("DVC_EXP_NAME", "")
    tags["git.sha"] = _git("rev-parse", "HEAD")
    # DVC writes dvc.lock while the stages run; it and params.yaml are kept with the run, so they may differ from git's.
    others = [f":!{name}" for name in RECORDS]
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *others)
    tags["git.dirty"] = str(bool(changed or _git("ls-files", "--others", "--", *CODE))).lower()
    return {name: value for name, value in tags.items() if value}


def uncommitted() -> list[str]:
    """Files of the code here that are not as HEAD has them, and modules that git does not know, by their paths."""
    changed = _git("diff", "--name-only", "HEAD", "--", *PACKAGES).splitlines()
    return sorted({*changed, *_git("ls-files", "--others", "--", *CODE).splitlines()})


def provenance(manifests: Mapping[str, bytes], *, config: Mapping[str, Any], shards: str) -> dict[str, str]:
    """`lineage`, and the digests of all that a training run is made of.

    Args:
        manifests: the bytes of the shards' manifests, by split.
        config: the resolved configuration, as JSON has it.
        shards: the folder with the splits, or its URL, which no DVC output is.
    """
    tags = lineage({split: json.loads(content) for split, content in manifests.items()})
    tags |= {f"manifest.{split}": hashlib.sha256(content).hexdigest() for split, content in manifests.items()}
    tags |= {f"dvc.out.{path.name}": md5 for path, md5 in locked(LOCK).items() if path.parent == Path(shards)}
    tags["config"] = json.dumps(config, sort_keys=True)
    tags["config.sha256"] = text_digest(tags["config"])
    return tags | {f"version.{name}": installed for name, installed in versions().items()}


def locked(lock: Path) -> dict[Path, str]:
    """DVC's hash of each output in a dvc.lock, by its absolute path; nothing where there is no such file."""
    return {path.absolute(): md5 for path, md5 in params.outs(lock).items()} if lock.is_file() else {}


def text_digest(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that decide a result."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def data_hash(manifest: Any) -> str:
    """A digest of a split's manifest, which itself holds the digest of every shard."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:32]


def _git(*arguments: str) -> str:
    """What git prints; nothing outside a repository, and nothing where there is no git."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
