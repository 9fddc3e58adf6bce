"""Values of params.yaml changed for one call: what `--set a.b=c` means."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline import params
from pipeline.artifacts import write_json, write_text
from pipeline.refusal import Refusal


@contextmanager
def in_force(path: Path, settings: Sequence[str]) -> Iterator[Path]:
    """A params file in which `settings` stand instead of its own values; the file itself stays as it is.

    Args:
        path: the params file.
        settings: each `a.b=c`: a key that the file has, and a value as YAML writes it.

    Raises:
        Refusal: a key is not known, or a value is no YAML.
    """
    if not settings:
        yield path
        return
    values = params.read(path)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, path.name)
        write_json(copy, params.laid(_changes(settings, values, folder=Path(folder)), values))
        try:
            yield copy
        except Refusal as refusal:
            raise Refusal(str(refusal).replace(str(copy), f"{path} with --set")) from None


def _changes(settings: Sequence[str], values: Mapping[str, Any], *, folder: Path) -> dict[str, Any]:
    """Values by dotted names."""
    known = _names(values)
    changes: dict[str, Any] = {}
    for setting in settings:
        name, is_split, text = setting.partition("=")
        if not is_split:
            raise Refusal(f"--set: got {setting}, wanted KEY=VALUE, such as export.clips=4")
        if name not in known:
            raise Refusal(f"--set: {name} is not a known key{params.closest(name, known)}")
        changes[name] = _value(text, name=name, folder=folder)
    return changes


def _names(values: Mapping[str, Any]) -> list[str]:
    """Every key's dotted name, those of sections too."""
    deep = [name.split(".") for name in params.flat(values)]
    return [*dict.fromkeys(".".join(parts[: depth + 1]) for parts in deep for depth in range(len(parts)))]


def _value(text: str, *, name: str, folder: Path) -> Any:
    """What a value means, by the one reader of YAML."""
    file = folder / "value.yaml"
    write_text(file, f"value: {text}\n")
    try:
        return params.read(file)["value"]
    except Refusal:
        raise Refusal(f"--set {name}: got {text}, which is no YAML; quote it for the shell") from None
