"""Small files that stages leave for each other: JSON, written whole or not at all, and their hashes."""

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxSource:
    """Where the boxes of detected people come from: named by every number that was computed with them."""

    file: str
    """Path below the dataset's root."""
    sha256: str
    min_score: float
    """Detections below this score were left out."""

    def __str__(self) -> str:
        """In a sentence."""
        return f"detected ({Path(self.file).name}, sha256 {self.sha256[:12]}, score at least {self.min_score:g})"


def write_text(path: Path, text: str) -> None:
    """Write `text` to a temporary name beside `path`, then rename it: readers see the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(temporary).chmod(0o644)
    Path(temporary).replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON with sorted keys. Raises ValueError on NaN: say null where a number is missing."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def resolved(**sections: Any) -> dict[str, Any]:
    """Sections of params.yaml as they were in force, plain as JSON has them: what they made says it under `config`.

    Args:
        sections: dataclasses by the names of their sections.
    """
    return {name: json.loads(json.dumps(asdict(section), default=str)) for name, section in sections.items()}


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
