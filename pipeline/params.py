"""The only reader of params.yaml: strict, typed, and clear about what is wrong."""

import difflib
import io
import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML  # noqa: TID251  (this is the one place)
from ruamel.yaml.error import YAMLError  # noqa: TID251

from pipeline.artifacts import write_text
from pipeline.refusal import Refusal

T = TypeVar("T")


def read(path: Path) -> dict[str, Any]:
    """The whole file as plain values, by YAML 1.2 (so that `1e-4` is a number)."""
    try:
        document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refusal(f"{path}: no such file; run from the project's root, where params.yaml is") from None
    except YAMLError as error:
        raise Refusal(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise Refusal(f"{path}: got {type(document).__name__} at the top, wanted sections such as `train:`")
    return document


def load(
    path: Path,
    section: str,
    into: type[T],
    *,
    chosen: Mapping[str, Any] | None = None,
    instead: Mapping[str, Any] | None = None,
) -> T:
    """One section, checked against the type `into`; `section` may go deeper with dots, as in `train.steps`.

    Args:
        path: The params file.
        section: Its name.
        into: Its type.
        chosen: Values that a search found for keys that the section does not have: they live in the search's space.
        instead: Values that a search found for keys that the section has, such as `temporal.blocks`; they go before.

    Raises:
        Refusal: the section is missing, or a key in it is unknown, missing, of the wrong type or impossible.
    """
    value = _section(path, section)
    twice = sorted(set(chosen or {}) & set(value if isinstance(value, Mapping) else {}))
    if twice:
        raise Refusal(
            f"{path}: {section}.{twice[0]} stands in the section and in tune.space; take it out of one of them"
        )
    if instead:
        value = laid(instead, value)
    return parse({**value, **chosen} if chosen else value, into, name=f"{path}: {section}")


def laid(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the mapping `over` in which `values`, by dotted names, stand instead of its own."""
    copied = dict(over)
    for name, value in values.items():
        key, _, rest = name.partition(".")
        copied[key] = laid({rest: value}, copied.get(key, {})) if rest else value
    return copied


def _section(path: Path, section: str) -> Any:
    value: Any = read(path)
    for depth, key in enumerate(section.split(".")):
        if not isinstance(value, Mapping) or key not in value:
            name = ".".join(section.split(".")[: depth + 1])
            near = closest(key, [*map(str, value)]) if isinstance(value, Mapping) else ""
            raise Refusal(f"{path}: section `{name}` is missing{near}")
        value = value[key]
    return value


def parse(value: Any, into: type[T], *, name: str) -> T:
    """`value` as an instance of `into`, strictly; `name` says in errors where the value stands."""
    return parse_json(json.dumps(value), into, name=name)


def parse_json(text: str | bytes, into: type[T], *, name: str) -> T:
    """As `parse`, of a value that is JSON."""
    try:
        return TypeAdapter(into).validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        told = [_describe(name, entry, into) for entry in error.errors(include_url=False)]
        raise Refusal("; ".join(told)) from None


def _describe(name: str, error: Any, into: Any) -> str:
    """One wrong key in one line: where, what was got, what was wanted."""
    where = ".".join([name, *(str(part) for part in error["loc"])])
    match error["type"]:
        case "unexpected_keyword_argument":
            return f"{where} is not a known key{closest(str(error['loc'][-1]), _keys(into, error['loc'][:-1]))}"
        case "missing":
            return f"{where} is missing"
        case "json_invalid":
            return f"{where} is not JSON: {error['ctx']['error']}"
        case "value_error":
            return f"{where}: {error['ctx']['error']}"
        case _:
            return f"{where}: got {error['input']!r}; {error['msg'][0].lower()}{error['msg'][1:]}"


def outs(lock: Path) -> dict[Path, str]:
    """DVC's hash of every output that a dvc.lock knows, by its path."""
    stages = read(lock).get("stages", {}).values()
    return {Path(out["path"]): str(out["md5"]) for stage in stages for out in stage.get("outs", []) if "md5" in out}


def _keys(into: Any, place: tuple[str | int, ...]) -> list[str]:
    """The keys of the dataclass at a place below the type `into`; none where something else stands there."""
    for part in place:
        kinds = [into, *get_args(into)]
        inner = [get_type_hints(kind).get(str(part)) for kind in kinds if is_dataclass(kind)]
        into = next((kind for kind in inner if kind is not None), None)
    found = [kind for kind in (into, *get_args(into)) if is_dataclass(kind)]
    return [field.name for kind in found for field in fields(kind)]


def closest(word: str, known: list[str]) -> str:
    """` (did you mean ...?)` for a misspelt word, or nothing."""
    match = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean `{match[0]}`?)" if match else ""


def use_preset(path: Path, presets: Path, name: str) -> None:
    """Lay the file `NAME.yaml`, anywhere below the folder `presets`, over the params file, whose comments stay.

    Mappings are merged and null removes a key, as in JSON Merge Patch (RFC 7386). A preset whose `base` names another
    is laid over that one, so whatever was chosen before, the result is the same.
    """
    lay(path, *_overlays(presets, name))


def lay(path: Path, *overlays: Mapping[str, Any]) -> None:
    """Lay overlays over the params file one after the other, as `use_preset` does."""
    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 4096
    editor.representer.add_representer(type(None), _null)
    document = editor.load(path.read_text(encoding="utf-8"))
    for overlay in overlays:
        merge(document, overlay)
    text = io.StringIO()
    editor.dump(document, text)
    write_text(path, text.getvalue())


def _null(representer: Any, _: None) -> Any:
    """As params.yaml has it; ruamel would leave the place empty."""
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def flat(values: Mapping[str, Any], *, below: str = "") -> dict[str, Any]:
    """Every value that is no mapping under its dotted name, such as `train.steps`."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{below}.{key}" if below else str(key)
        found |= flat(value, below=name) if isinstance(value, Mapping) and value else {name: value}
    return found


def preset_changes(path: Path, presets: Path, name: str) -> dict[str, tuple[Any, Any]]:
    """What `use_preset` would change: by dotted name the value in force and the preset's, None where there is none."""
    values = read(path)
    laid_over = deepcopy(values)
    for overlay in _overlays(presets, name):
        merge(laid_over, overlay)
    before, after = flat(values), flat(laid_over)
    names = dict.fromkeys([*before, *after])
    changed = [key for key in names if key not in before or key not in after or before[key] != after[key]]
    return {key: (before.get(key), after.get(key)) for key in changed}


def _overlays(presets: Path, name: str) -> list[dict[str, Any]]:
    """What a preset lays over the params, its bases first."""
    known = {preset.stem: preset for preset in sorted(presets.rglob("*.yaml"))}
    if name not in known:
        raise Refusal(
            f"preset `{name}` is not known{closest(name, [*known])}; wanted one of {', '.join(sorted(known))}"
        )
    overlay = read(known[name])
    base = overlay.pop("base", None)
    return [*([] if base is None else _overlays(presets, base)), overlay]


def merge(target: Any, patch: Mapping[str, Any]) -> None:
    """Lay `patch` over `target`, in place (see `use_preset`)."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(target.get(key), Mapping):
            merge(target[key], value)
        elif key not in target or target[key] != value:  # an equal one stays as it is written, `1e-4` or `[1, 2]`
            target[key] = value
