"""manifest.json: what the tars of one split hold, and where in them each record is."""

from dataclasses import asdict, dataclass
from pathlib import Path

from dsn.skeleton import Skeleton
from pipeline import params
from pipeline.artifacts import BoxSource, write_json
from pipeline.refusal import Refusal
from pipeline.shards.recipe import Recipe
from pipeline.shards.store import Folder, read_bytes

NAME = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One tar."""

    name: str
    """File name within the split's folder."""
    sha256: str
    first_key: str
    last_key: str
    ends: tuple[int, ...]
    """For each record the byte behind it; a record begins where the one before it ends."""

    @property
    def samples(self) -> int:
        """How many records it has."""
        return len(self.ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One split."""

    split: str
    samples: int
    heads: int
    """Samples whose head bbox is known."""
    shards: tuple[Shard, ...]
    stored_size: tuple[int, int]
    """Height and width of the stored crops."""
    clip: tuple[int, ...]
    """Offsets of the T frames in a record, the keyframe's 0 among them."""
    recipe: Recipe
    source_digest: str
    """SHA-256 over the source frames' bytes."""
    skeleton: Skeleton
    boxes: BoxSource | None = None
    """Where the split's detected people come from, if it has any."""

    @property
    def keyframe(self) -> int:
        """Which of the T frames is the keyframe."""
        return self.clip.index(0)


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write `manifest.json`; `read_manifest` is the inverse."""
    write_json(folder / NAME, asdict(manifest))


def read_manifest(folder: Folder) -> Manifest:
    """The manifest of a split's folder, here or at a URL.

    Raises:
        Refusal: there is none, it cannot be fetched, or it is not what `write_manifest` writes.
    """
    return params.parse_json(manifest_bytes(folder), Manifest, name=str(folder / NAME))


def manifest_bytes(folder: Folder) -> bytes:
    """The manifest as it was written; raises as `read_manifest` does."""
    path = folder / NAME
    try:
        return read_bytes(path)
    except FileNotFoundError:
        raise Refusal(f"{path}: no such file, wanted a folder of shards; run stage shard, or `dvc checkout`") from None
