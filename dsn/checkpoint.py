"""Trained networks on disk: weights as safetensors, and the config and skeleton that build the network again."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file

from dsn import skeleton as skeletons
from dsn.config import ModelConfig, from_dict
from dsn.network import DSN, SingleFrame, build, build_single_frame
from dsn.skeleton import Skeleton

BUILDERS: dict[str, Callable[[ModelConfig, Skeleton], DSN | SingleFrame]] = {
    "dual": build,
    "single_frame": build_single_frame,
}
"""The `kind` in model.json, and what builds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A network read from disk, in evaluation mode, on the CPU."""

    network: DSN | SingleFrame
    """With the stored weights."""
    config: ModelConfig
    """What built it."""
    skeleton: Skeleton
    """Whose joints its channels are."""


def save(folder: Path, network: DSN | SingleFrame, *, config: ModelConfig, skeleton: Skeleton) -> None:
    """Write network.safetensors, model.json and skeleton.json into `folder`, which is made if absent."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(weights, folder / "network.safetensors")
    kind = "dual" if isinstance(network, DSN) else "single_frame"
    _write(folder / "model.json", {"kind": kind, "model": asdict(config)})
    _write(folder / "skeleton.json", skeletons.to_dict(skeleton))


def load(folder: Path) -> Loaded:
    """Read what `save` wrote.

    Raises:
        ValueError: the weights are not exactly those of the network that model.json describes, or its kind is unknown.
    """
    described = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    if described["kind"] not in BUILDERS:
        raise ValueError(f"{folder / 'model.json'}: kind: got {described['kind']!r}, wanted one of {sorted(BUILDERS)}")
    config = from_dict(described["model"], ModelConfig)
    skeleton = skeletons.from_dict(json.loads((folder / "skeleton.json").read_text(encoding="utf-8")))
    network = BUILDERS[described["kind"]](config, skeleton)
    _fill(network, folder / "network.safetensors")
    return Loaded(network=network.eval(), config=config, skeleton=skeleton)


def _fill(network: DSN | SingleFrame, path: Path) -> None:
    """Put the stored weights into the network, all of them or none."""
    weights, own = load_file(path), network.state_dict()
    missing, unexpected = sorted(set(own) - set(weights)), sorted(set(weights) - set(own))
    if missing or unexpected:
        raise ValueError(f"{path}: missing weights {missing}, unexpected weights {unexpected}")
    reshaped = sorted(name for name, value in own.items() if value.shape != weights[name].shape)
    if reshaped:
        raise ValueError(f"{path}: got other shapes than the network's for {reshaped}")
    network.load_state_dict(weights)


def _write(path: Path, value: dict[str, object]) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
