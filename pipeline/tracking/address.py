"""Addresses of models: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, a folder, or the registered.json of a stage."""

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.artifacts import read_json
from pipeline.refusal import Refusal

WANTED = "wanted models:/NAME@ALIAS, models:/NAME/VERSION, a model's folder or a registered.json"
WEIGHTS_DIGEST = "sha256"
"""The tag of a version that holds the SHA-256 of its averaged weights."""
PATTERN = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[1-9][0-9]*))")


@dataclass(frozen=True, slots=True, kw_only=True)
class InRegistry:
    """A version of a registered model, named by its number or by an alias that points at it."""

    name: str
    version: str | None
    alias: str | None
    sha256: str | None = None
    """Of the weights that it must have, where it is known which those are: numbers begin anew in every registry."""

    def __str__(self) -> str:
        """As it is written."""
        return f"models:/{self.name}@{self.alias}" if self.version is None else f"models:/{self.name}/{self.version}"


def parse(address: Path | str) -> InRegistry | Path:
    """What an address names.

    Raises:
        Refusal: it names nothing, or a registered.json that is not there.
    """
    text = str(address)
    if text.startswith("models:"):
        found = PATTERN.fullmatch(text)
        if found is None:
            raise Refusal(f"model: got {text}, {WANTED}")
        return InRegistry(name=found["name"], version=found["version"], alias=found["alias"])
    path = Path(address)
    if path.suffix == ".json":
        return _registered(path)
    if not path.is_dir():
        raise Refusal(f"model: got {text}, which is no folder; {WANTED}")
    return path


def _registered(path: Path) -> InRegistry:
    if not path.is_file():
        raise Refusal(f"{path}: no such file, wanted what stage register writes; run `dvc repro register`")
    values = read_json(path)
    return InRegistry(
        name=values["name"], version=str(values["version"]), alias=None, sha256=values["tags"][WEIGHTS_DIGEST]
    )
