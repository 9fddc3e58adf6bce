"""Where a run is kept while it is under way, with our mark that it has finished."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from fsspec.core import url_to_fs

MARK = "finished.json"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run's folder in `cluster.storage`: a path, or a URL that fsspec knows, such as `s3://bucket/runs/NAME`."""

    url: str

    def is_finished(self) -> bool:
        """Whether the run came to its end."""
        files, path = url_to_fs(self.url)
        return bool(files.exists(f"{path}/{MARK}"))

    def finish(self, facts: Mapping[str, object]) -> None:
        """Leave the mark."""
        self.write(MARK, facts)

    def write(self, name: str, facts: Mapping[str, object]) -> str:
        """Leave a small JSON file; gives its path or URL."""
        files, path = url_to_fs(self.url)
        files.makedirs(path, exist_ok=True)
        files.pipe_file(f"{path}/{name}", json.dumps(facts, indent=1).encode())
        return f"{self.url}/{name}"

    def remove(self) -> None:
        """Forget the run."""
        files, path = url_to_fs(self.url)
        files.rm(path, recursive=True)
