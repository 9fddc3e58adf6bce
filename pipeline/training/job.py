"""One training run as plain values: what crosses to the workers, and what names the run."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from dsn.config import ModelConfig
from dsn.loss import LossConfig, of_single_frame
from dsn.sight import refuse_unread
from pipeline import params
from pipeline.cluster import ClusterConfig
from pipeline.refusal import Refusal
from pipeline.shards.manifest import manifest_bytes, read_manifest
from pipeline.shards.reader import ReaderConfig
from pipeline.shards.store import Folder, located
from pipeline.training.config import TrainConfig
from pipeline.training.recipe import Recipe
from pipeline.training.yardstick import yardstick_of

CODE = ("dsn", "pipeline/training", "pipeline/shards")
"""What decides the weights of a run, beside its data and configuration."""

SPLITS: tuple[Literal["train", "select"], ...] = ("train", "select")
"""The splits that training reads."""
WHERE_READ = ("workers", "prefetch", "store")
"""Keys of the section `reader` that do not change what training sees."""

Kind = Literal["single_frame", "dual"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run of the loop on shards."""

    kind: Kind
    """Which network; a single-frame network reads keyframes alone."""
    model: ModelConfig
    loss: LossConfig
    train: TrainConfig
    reader: ReaderConfig
    cluster: ClusterConfig
    shards: str
    """Absolute path or URL of the folder with the splits train and select."""
    start: str | None
    """Folder of a network whose weights training starts from; None starts from random weights."""

    @property
    def recipe(self) -> Recipe:
        """What is trained and how, with the skeleton and the yardstick of the shards."""
        train, select = (read_manifest(self.split(split)) for split in SPLITS)
        return Recipe(
            model=self.model,
            loss=self.loss if self.kind == "dual" else of_single_frame(self.loss),
            train=self.train,
            skeleton=train.skeleton,
            yardstick=yardstick_of(select),
        )

    @property
    def start_weights(self) -> str | None:
        """SHA-256 of the weights that training starts from; None where these are random."""
        return None if self.start is None else _content(Path(self.start, "network.safetensors"))

    def split(self, name: Literal["train", "select"]) -> Folder:
        """Where the shards of a split are."""
        return located(self.shards, self.reader.store) / name

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, the inverse of `from_dict`."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]


def from_params(
    path: Path,
    *,
    kind: Kind,
    section: str,
    shards: Path | str,
    start: Path | None = None,
    chosen: Mapping[str, Mapping[str, Any]] | None = None,
) -> Job:
    """The job that params.yaml describes; `section` holds its recipe.

    Args:
        path: The params file.
        kind: Which network.
        section: `pretrain` or `train`.
        shards: Folder with the splits train and select, or its URL.
        start: Folder of the network to start from.
        chosen: Values by section and key that a search found. Those of `model` and `loss` go before what params.yaml
            says, which is what pretraining uses; those of the recipe do not stand in params.yaml.
    """
    chosen = chosen or {}
    reader = params.load(path, "reader", into=ReaderConfig)
    store = replace(reader.store, cache=str(Path(reader.store.cache).resolve()))
    return Job(
        kind=kind,
        model=params.load(path, "model", into=ModelConfig, instead=chosen.get("model")),
        loss=params.load(path, "loss", into=LossConfig, instead=chosen.get("loss")),
        train=params.load(path, section, into=TrainConfig, chosen=chosen.get(section)),
        reader=replace(reader, store=store),
        cluster=params.load(path, "cluster", into=ClusterConfig),
        shards=shards if isinstance(shards, str) else str(shards.resolve()),
        start=None if start is None else str(start.resolve()),
    )


def from_dict(values: dict[str, Any]) -> Job:
    """The job that `to_dict` wrote."""
    return params.parse(values, Job, name="job")


def refuse_unfit(job: Job) -> None:
    """Refuse values that are possible each by itself and do not go together.

    Raises:
        Refusal: ranks would have unequal shares of a batch, or a loss weighs what the network does not read.
    """
    if job.train.batch_size % job.cluster.workers:
        raise Refusal(
            f"batch_size: got {job.train.batch_size}, wanted a multiple of cluster.workers = {job.cluster.workers}, "
            "so that every rank has the same share"
        )
    if job.kind == "dual":
        try:
            refuse_unread(job.loss, job.model)
        except ValueError as error:
            raise Refusal(f"params.yaml: {error}") from None


def run_name(job: Job) -> str:
    """The name under which a run is kept and resumed: a digest of its data, configuration and code.

    Where it runs (the `cluster` section, but for the number of workers, which decides the order of samples), where the
    shards lie and by how many processes they are read are no part of it, so the same run can go on elsewhere; nor how
    often it is kept.
    """
    values = job.to_dict()
    values["cluster"] = {"workers": job.cluster.workers}
    values["reader"] = {key: value for key, value in values["reader"].items() if key not in WHERE_READ}
    values["train"].pop("checkpoint_every")
    values["shards"] = [hashlib.sha256(manifest_bytes(split)).hexdigest() for split in map(job.split, SPLITS)]
    values["start"] = job.start_weights
    values["code"] = contents_of_code(CODE)
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    return f"{job.kind}-{digest[:16]}"


def contents_of_code(folders: Sequence[str]) -> list[str]:
    """The digests of all modules in some folders of the project."""
    return [_content(path) for folder in folders for path in sorted(Path(folder).rglob("*.py"))]


def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
