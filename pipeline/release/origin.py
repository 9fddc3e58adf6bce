"""Where a version comes from: printed, brought back, compared with what is here, and looked up the other way round."""

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pipeline.refusal import Refusal
from pipeline.tracking.address import InRegistry, parse
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.contents import DIGESTS, RECORDED
from pipeline.tracking.lineage import LOCK, locked, text_digest, uncommitted, versions
from pipeline.tracking.registry import FOLDER, Version, changed_files, every, resolved

DATA_TAGS = ("data.", "manifest.", "dvc.out.", "gate.data_hash", "gate.box_file")
"""Tags that hold hashes of data begin so."""
LONG = ("config", DIGESTS, "gate.sequences", "gate.decisions")
"""Tags that are JSON, too long to be shown."""


def told(tracking: TrackingConfig, which: str) -> str:
    """A version's tags, and the commands that bring back the code, the params and the data it was made from."""
    version = version_of(tracking, which)
    tags = [f"{name}: {value}" for name, value in sorted(version.tags.items()) if name not in LONG]
    commands = [f"  {line}" for line in restoring(tracking, version)]
    bring = ["", "To bring it back, in a clone of the project:", *commands]
    return "\n".join([f"{version.name} version {version.version}, run {version.run_id}", *tags, *bring])


def facts(tracking: TrackingConfig, which: str) -> dict[str, object]:
    """All that `told` tells, and the tags that are too long for it."""
    version = version_of(tracking, which)
    return {
        "name": version.name,
        "version": version.version,
        "run_id": version.run_id,
        "tags": dict(sorted(version.tags.items())),
        "restore": restoring(tracking, version),
    }


def version_of(tracking: TrackingConfig, which: str) -> Version:
    """A version by its number, by an alias, or by a whole address."""
    place = parse(which) if which.startswith("models:") or which.endswith(".json") else _named(tracking, which)
    if isinstance(place, Path):
        raise Refusal(f"lineage: got the folder {which}, wanted a version's number, an alias or models:/NAME/VERSION")
    return resolved(tracking, place)


def _named(tracking: TrackingConfig, which: str) -> InRegistry:
    number = which if which.isdigit() else None
    return InRegistry(name=tracking.model, version=number, alias=None if number else which)


def restoring(tracking: TrackingConfig, version: Version) -> list[str]:
    """The commands that bring a version's code, params and data back, for a POSIX shell."""
    sha = version.tags.get("git.sha")
    checkout = [f"git checkout {sha}"] if sha else ["# the code was in no git repository"]
    if version.tags.get("git.dirty") == "true":
        checkout.append("# beware: the code had changes that were not committed, and they are lost")
    return [
        *checkout,
        f"export MLFLOW_TRACKING_URI={shlex.quote(tracking.shown_uri)}",
        f"mlflow artifacts download --artifact-uri runs:/{version.run_id}/{FOLDER}/{RECORDED} --dst-path restored",
        f"cp restored/{RECORDED}/* .",
        "dvc checkout",
    ]


def verified(tracking: TrackingConfig, which: str) -> list[str]:
    """What of a version's origin differs from what is stored and from what is here; nothing where all is the same.

    The stored files are hashed anew, the configuration too; then code, libraries and the data of this folder. Code with
    changes that are not committed is named, for its commit does not say what it is.
    """
    version = version_of(tracking, which)
    tags = version.tags
    if DIGESTS not in tags:
        raise Refusal(
            f"{version.name} version {version.version} has no tag {DIGESTS}: it was not registered to its end"
        )
    found = [f"stored file {name}: {how}" for name, how in changed_files(tracking, version=version)]
    if "config" in tags and text_digest(tags["config"]) != tags.get("config.sha256"):
        found.append(f"config: got sha256 {text_digest(tags['config'])}, registered {tags.get('config.sha256')}")
    return [*found, *_different_code(tags), *_different_libraries(tags), *_different_data(tags)]


def _different_code(tags: dict[str, str]) -> Iterator[str]:
    if "git.sha" in tags:
        here = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
        if here != tags["git.sha"]:
            yield f"git.sha: here {here or 'no repository'}, registered {tags['git.sha']}"
    if tags.get("git.dirty") == "true":
        yield "git.dirty: registered with changes that were not committed"
    if changed := uncommitted():
        others = f" and {len(changed) - 1} more" if changed[1:] else ""
        yield f"git.dirty: here {changed[0]}{others} with changes that are not committed"


def _different_libraries(tags: dict[str, str]) -> Iterator[str]:
    for name, installed in versions().items():
        registered = tags.get(f"version.{name}")
        if registered not in {None, installed}:
            yield f"version.{name}: here {installed}, registered {registered}"


def _different_data(tags: dict[str, str]) -> Iterator[str]:
    """By DVC's hashes, which it has of this folder's outputs."""
    here = {path.name: md5 for path, md5 in locked(LOCK).items()}
    for name, registered in sorted(tags.items()):
        split = name.removeprefix("dvc.out.")
        if split != name and here.get(split) != registered:
            yield f"{name}: here {here.get(split, 'unknown to dvc.lock')}, registered {registered}"


def trained_on(tracking: TrackingConfig, data: str) -> list[str]:
    """Every version with a data hash that begins with `data`, one line each, newest first; see `DATA_TAGS`."""
    lines = []
    for version in every(tracking):
        named = [
            name
            for name, value in sorted(version.tags.items())
            if name.startswith(DATA_TAGS) and value.startswith(data)
        ]
        if named:
            lines.append(f"{version.name} version {version.version}: {', '.join(named)}")
    return lines
