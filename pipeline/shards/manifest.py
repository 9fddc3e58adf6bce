"""manifest.json: what the tars of one split hold, and where in them each record is."""

from dataclasses import asdict, dataclass
from pathlib import Path

from dsn.skeleton import Skeleton
from pipeline import params
from pipeline.artifacts import read_json, write_json
from pipeline.refusal import Refusal
from pipeline.shards.recipe import Recipe


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

    def span(self, record: int) -> tuple[int, int]:
        """First byte of a record, and the byte behind it."""
        return (self.ends[record - 1] if record else 0), self.ends[record]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One split."""

    split: str
    samples: int
    shards: tuple[Shard, ...]
    stored_size: tuple[int, int]
    """Height and width of the stored crops."""
    clip: tuple[int, ...]
    """Offsets of the T frames in a record, the keyframe's 0 among them."""
    recipe: Recipe
    source_digest: str
    """SHA-256 over the source frames' bytes."""
    skeleton: Skeleton

    @property
    def keyframe(self) -> int:
        """Which of the T frames is the keyframe."""
        return self.clip.index(0)


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write `manifest.json`; `read_manifest` is the inverse."""
    write_json(folder / "manifest.json", asdict(manifest))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a split's folder.

    Raises:
        Refusal: there is none, or it is not what `write_manifest` writes.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        raise Refusal(f"{path}: no such file, wanted a folder of shards; run stage shard, or `dvc checkout`")
    return params.parse(read_json(path), Manifest, name=str(path))
