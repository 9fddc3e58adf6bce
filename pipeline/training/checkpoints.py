"""The checkpoints of a run: each is there whole or not at all, and the newest and the best are kept."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from pipeline.training.recipe import Row
from pipeline.training.yardstick import SCORE

MANIFEST = "checkpoint.json"
"""Written last: a folder without it is no checkpoint."""
KEEP = 2
"""So many of the newest are kept, so that one is left where the other is damaged."""


PART = ".{}.part"
"""What a checkpoint's folder is called while it is written."""
HISTORY = "history.json"
"""Every line of progress up to a checkpoint, in its folder."""


class DamagedError(Exception):
    """A checkpoint is not what its manifest says; the message names the file, what was got and what was wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What the manifest of a checkpoint says."""

    step: int
    scores: Row | None
    """On the select split; None where the run was not evaluated at this step."""
    digests: dict[str, str]
    """SHA-256 of each file, by its path below the checkpoint's folder."""


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Those of one run, in its folder: a path, or a URL that fsspec knows, such as `s3://bucket/runs/NAME`."""

    url: str

    def all(self) -> list[Checkpoint]:
        """Those that were written to their end, oldest first; whether they are sound shows when they are fetched."""
        files, path = url_to_fs(self.url)
        found = (_parsed(files.cat_file(f"{path}/{_name(step)}/{MANIFEST}")) for step in self._steps())
        return [one for one in found if one is not None]

    def add(self, fill: Callable[[Path], None], *, step: int, scores: Row | None) -> None:
        """Let `fill` write a checkpoint's files into a folder, and make of it the checkpoint of `step`.

        Raises:
            OSError: it could not be written, and nothing of it is left; those before it stay.
        """
        files, path = url_to_fs(self.url)
        place = f"{path}/{_name(step)}"
        if isinstance(files, LocalFileSystem):
            with _partly(Path(path, PART.format(_name(step)))) as folder:
                _finish(folder, fill, step=step, scores=scores)
                shutil.rmtree(place, ignore_errors=True)
                folder.rename(place)
        else:
            with tempfile.TemporaryDirectory() as folder:
                _finish(Path(folder), fill, step=step, scores=scores)
                _send(Path(folder), files, place)
        self._thin_out()

    @contextmanager
    def fetched(self, step: int) -> Iterator[Path]:
        """A local folder with the files of a checkpoint.

        Raises:
            DamagedError: they are not as they were written.
        """
        files, path = url_to_fs(self.url)
        place = f"{path}/{_name(step)}"
        if isinstance(files, LocalFileSystem):
            _verify(Path(place))
            yield Path(place)
            return
        with tempfile.TemporaryDirectory() as folder:
            files.get(f"{place}/", f"{folder}/", recursive=True)
            _verify(Path(folder))
            yield Path(folder)

    def rewind(self, tell: Callable[[str], None]) -> int | None:
        """The step of the newest that is sound, where a run goes on.

        Those that are not sound are removed, and `tell` hears of each; what was never written to its end goes silently.
        """
        files, path = url_to_fs(self.url)
        for part in files.glob(f"{path}/{PART.format('step_*')}"):
            files.rm(part, recursive=True)
        for step in reversed(self._steps()):
            try:
                with self.fetched(step):
                    return step
            except DamagedError as error:
                tell(f"the checkpoint of step {step} is damaged ({error}); the one before it is used")
                self._remove(step)
        return None

    def best(self, tell: Callable[[str], None]) -> Checkpoint | None:
        """The one that scored best, of equal ones the earliest, among those that are sound.

        `tell` hears of each that is not.
        """
        for candidate in sorted(self._scored(), key=_score, reverse=True):
            try:
                with self.fetched(candidate.step):
                    return candidate
            except DamagedError as error:
                tell(f"the checkpoint of step {candidate.step} is damaged ({error}); the next best is used")
        return None

    def _steps(self) -> list[int]:
        files, path = url_to_fs(self.url)
        files.invalidate_cache()
        return sorted(
            int(Path(name).parent.name.removeprefix("step_")) for name in files.glob(f"{path}/step_*/{MANIFEST}")
        )

    def _scored(self) -> list[Checkpoint]:
        return [one for one in self.all() if one.scores is not None]

    def _thin_out(self) -> None:
        """Remove all but the newest few and the best."""
        best = max(self._scored(), key=_score, default=None)
        for step in self._steps()[:-KEEP]:
            if best is None or step != best.step:
                self._remove(step)

    def _remove(self, step: int) -> None:
        files, path = url_to_fs(self.url)
        files.rm(f"{path}/{_name(step)}", recursive=True)


def read_history(folder: Path) -> list[Row]:
    """Every line of progress up to the checkpoint in `folder`."""
    rows: list[Row] = json.loads((folder / HISTORY).read_text(encoding="utf-8"))
    return rows


def _name(step: int) -> str:
    return f"step_{step:08d}"


def _score(checkpoint: Checkpoint) -> float:
    """A number that can be compared: a score that is none comes last."""
    score = (checkpoint.scores or {}).get(SCORE, float("nan"))
    return score if score == score else float("-inf")  # noqa: PLR0124  (NaN alone differs from itself)


@contextmanager
def _partly(folder: Path) -> Iterator[Path]:
    """An empty folder, which is gone at the end unless it was moved away."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _finish(folder: Path, fill: Callable[[Path], None], *, step: int, scores: Row | None) -> None:
    """Fill the folder and seal it with a manifest; all of it is on the disk, not in the system's memory alone."""
    fill(folder)
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    digests = {name: _digest(folder / name) for name in names}
    manifest = {"step": step, "scores": scores, "digests": digests}
    (folder / MANIFEST).write_text(json.dumps(manifest, sort_keys=True), encoding="utf-8")
    for name in (*names, MANIFEST, "."):
        _sync(folder / name)


def _send(folder: Path, files: Any, place: str) -> None:
    """Copy a checkpoint to another file system, its manifest last."""
    if files.exists(f"{place}/{MANIFEST}"):
        files.rm_file(f"{place}/{MANIFEST}")
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    for name in sorted(names, key=lambda name: name == MANIFEST):
        files.put_file(str(folder / name), f"{place}/{name}")


def _verify(folder: Path) -> None:
    manifest = _parsed((folder / MANIFEST).read_bytes()) if (folder / MANIFEST).is_file() else None
    if manifest is None:
        raise DamagedError(f"{MANIFEST} is missing or cut short")
    for name, wanted in manifest.digests.items():
        got = _digest(folder / name) if (folder / name).is_file() else "no file"
        if got != wanted:
            raise DamagedError(f"{name}: got {got[:12]}, wanted SHA-256 {wanted[:12]}")


def _parsed(content: bytes) -> Checkpoint | None:
    """The manifest, or None where it was cut short."""
    try:
        return Checkpoint(**json.loads(content))
    except (ValueError, TypeError):
        return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
