"""Where a run comes from: the code, the data and the stage, as tags."""

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from typing import Any


def lineage(manifests: Mapping[str, Any]) -> dict[str, str]:
    """Tags that say which code and data a run used; `manifests` are those of the shards, by split."""
    tags = {f"data.{split}": data_hash(manifest) for split, manifest in manifests.items()}
    tags["dvc.stage"] = os.environ.get("DVC_STAGE", "")
    tags["dvc.experiment"] = os.environ.get("DVC_EXP_NAME", "")
    tags["git.sha"] = _git("rev-parse", "HEAD")
    # DVC writes dvc.lock while the stages run, so that change says nothing about the code.
    tags["git.dirty"] = str(
        bool(_git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!dvc.lock"))
    ).lower()
    return {name: value for name, value in tags.items() if value}


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
