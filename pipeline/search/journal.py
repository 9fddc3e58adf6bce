"""What a search knows of its trials, kept beside Ray's files so that a killed search goes on with what it found."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from fsspec.core import url_to_fs

from pipeline import params

Status = Literal["running", "finished", "stopped", "diverged", "died"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One set of values and what came of it."""

    number: int
    """Counts from 0, in the order of proposal."""
    proposed: dict[str, float | int | str | bool]
    """By dotted name."""
    status: Status
    """`stopped`: it lagged behind; `diverged`: these values cannot be trained; `died`: it failed for another reason."""
    step: int
    """Of the last score."""
    scores: dict[str, float]
    """The last ones."""
    fault: str
    """Why it diverged or died, in one line."""


@dataclass(frozen=True, slots=True)
class Journal:
    """The trials of one search, a file each, in a folder that fsspec knows: a path, or a URL such as `s3://...`."""

    url: str

    def keep(self, trial: Trial) -> None:
        """Write a trial, whole or not at all."""
        self._write(f"trial-{trial.number:05d}", asdict(trial))

    def trials(self) -> list[Trial]:
        """All that were kept, by number."""
        files, folder = url_to_fs(self.url)
        names = sorted(files.glob(f"{folder}/trial-*.json"))
        return [params.parse(json.loads(files.cat_file(name)), Trial, name=name) for name in names]

    def claim_run(self, run_id: str) -> None:
        """Remember the tracker's run of the whole search."""
        self._write("run", {"run_id": run_id})

    def run(self) -> str | None:
        """The run of an earlier part of the search."""
        files, folder = url_to_fs(self.url)
        name = f"{folder}/run.json"
        return str(json.loads(files.cat_file(name))["run_id"]) if files.exists(name) else None

    def forget(self) -> None:
        """Remove all that is known, and Ray's own files beside it."""
        files, folder = url_to_fs(self.url)
        if files.exists(folder):
            files.rm(folder, recursive=True)

    def _write(self, name: str, value: Any) -> None:
        files, folder = url_to_fs(self.url)
        files.makedirs(folder, exist_ok=True)
        files.pipe_file(f"{folder}/.{name}", json.dumps(value, sort_keys=True).encode())
        files.mv(f"{folder}/.{name}", f"{folder}/{name}.json")


def ended(trial: Trial, *, steps: int) -> Trial:
    """A trial that ran as long as it was let: to its last step, or not."""
    if trial.fault:
        return replace(trial, status="diverged")
    return replace(trial, status="finished" if trial.step >= steps else "stopped")
