"""What the rest of the pipeline knows of experiment tracking."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable


@runtime_checkable
class Tracker(Protocol):
    """One run of an experiment that keeps what it is told."""

    run_id: str
    """The name by which the server knows the run."""

    def log_params(self, values: Mapping[str, object]) -> None:
        """Keep parameters; nested mappings become dotted names."""

    def log_metrics(self, values: Mapping[str, float], *, step: int) -> None:
        """Keep numbers at a step."""

    def log_file(self, path: Path, *, folder: str) -> None:
        """Keep a file, or a folder with all that is in it."""

    def child(self, name: str) -> "Tracker":
        """A nested run, for a trial of a search."""

    def finish(self, *, failed: bool = False) -> None:
        """Close the run."""
