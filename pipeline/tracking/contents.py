"""What a version's files must be: their digests stand in its tags, and nothing else is opened."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.artifacts import sha256
from pipeline.refusal import Refusal

DIGESTS = "sha256.files"
"""The tag that holds the SHA-256 of every file of a version, by its path; a version without it is not complete."""
DATA = "data/model"
"""Where a version's network lies among its files."""
RECORDED = "lineage"
"""The folder of a version's files that holds dvc.lock and params.yaml."""
READ = ("network.safetensors", "model.json", "skeleton.json", "crop.json")
"""Files of the network that are opened when it is loaded."""


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder`, by its path there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}


def registered_network(tags: Mapping[str, str]) -> dict[str, str]:
    """The digests of the network's files that a version's tags promise, by their names."""
    files: dict[str, str] = json.loads(tags[DIGESTS])
    return {name.removeprefix(f"{DATA}/"): digest for name, digest in files.items() if name.startswith(f"{DATA}/")}


def verify(folder: Path, wanted: Mapping[str, str], *, what: str, names: Iterable[str] = READ) -> None:
    """Refuse a network's folder whose files are not those that were registered.

    Args:
        folder: the files of a version's network.
        wanted: their digests.
        what: whose they are, in words.
        names: the files whose bytes are looked at; that no other was added is looked at always.

    Raises:
        Refusal: a file was added, taken away or changed; the message names it.
    """
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    added, gone = sorted(found - set(wanted)), sorted(set(wanted) - found)
    if added or gone:
        changed = f"the file {added[0]} was added" if added else f"the file {gone[0]} is missing"
        raise Refusal(f"{what}: {changed} after registration, so nothing is opened; register the model again")
    for name in names:
        got = sha256(folder / name)
        if got != wanted.get(name):
            raise Refusal(
                f"{what}: {name}: got sha256 {got}, wanted {wanted.get(name)}; the stored file was changed after "
                "registration, so register the model again"
            )
