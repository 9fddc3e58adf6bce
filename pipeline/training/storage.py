"""What Ray keeps of one run: its checkpoints, and beside them our mark that it has finished."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from fsspec.core import url_to_fs

MARK = "finished.json"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run's folder in Ray's storage: a path, or a URL that fsspec knows, such as `s3://bucket/runs/NAME`."""

    url: str

    def has_checkpoints(self) -> bool:
        """Whether there is something to go on from."""
        files, path = url_to_fs(self.url)
        return bool(files.glob(f"{path}/checkpoint_*"))

    def is_finished(self) -> bool:
        """Whether the run came to its end."""
        files, path = url_to_fs(self.url)
        return bool(files.exists(f"{path}/{MARK}"))

    def finish(self, facts: Mapping[str, object]) -> None:
        """Leave the mark."""
        files, path = url_to_fs(self.url)
        files.pipe_file(f"{path}/{MARK}", json.dumps(facts).encode())

    def remove(self) -> None:
        """Forget the run."""
        files, path = url_to_fs(self.url)
        files.rm(path, recursive=True)
