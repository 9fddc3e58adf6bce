"""docs/reference/params.md, made of params.yaml and docstrings; `python -m tests.test_params_page` writes it anew."""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pipeline import params
from pipeline.artifacts import write_text
from pipeline.sections import SECTIONS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "params.md"
HEAD = """# Parameters

Every key of `params.yaml` with its value in the default run. `python -m pipeline config show` prints what is in force,
`config diff NAME` what a preset would change, and a key that is unknown, missing or impossible stops a run at its
start. This page is made of the file and of the code's docstrings by `python -m tests.test_params_page`.
"""


def page(values: Mapping[str, Any]) -> str:
    """The page as it should be, of the values of a params file."""
    return "\n".join([HEAD, *(chapter(name, values) for name in values)])


def chapter(section: str, values: Mapping[str, Any]) -> str:
    """A section: what its config says of itself, and a table of its keys."""
    kind = SECTIONS[section]
    table = ["| key | default | means |", "|---|---|---|", *rows(kind, section, values)]
    return "\n".join([f"## {section}\n", one_line(kind.__doc__) + "\n", *table]) + "\n"


def rows(kind: type[Any], name: str, values: Mapping[str, Any]) -> Iterator[str]:
    """A row for each key of a config; those of configs inside it by dotted names."""
    hints, told = get_type_hints(kind), docstrings(kind)
    for field in fields(kind):
        hint, full = hints[field.name], f"{name}.{field.name}"
        inner = nested(hint)
        if inner is None or type(None) in get_args(hint):
            means = " ".join(filter(None, [one_line(told[field.name]), choices(hint)])).replace("|", r"\|")
            yield f"| `{full.partition('.')[2]}` | {shown(full, values)} | {means} |"
        if inner is not None:
            yield from rows(inner, full, values)


def nested(hint: Any) -> type[Any] | None:
    """The config that a key holds, also where it may be null."""
    found = [kind for kind in (hint, *get_args(hint)) if is_dataclass(kind) and isinstance(kind, type)]
    return found[0] if len(found) == 1 else None


def choices(hint: Any) -> str:
    """`One of ...`, where one of a few words is wanted, or several of them."""
    for kind, beginning in ((hint, "One of"), *((inner, "Of") for inner in get_args(hint))):
        if get_origin(kind) is Literal:
            return f"{beginning} {', '.join(f'`{word}`' for word in get_args(kind))}."
    return ""


def docstrings(kind: type[Any]) -> dict[str, str]:
    """The docstring below each field of a dataclass."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    return {
        field.target.id: line.value.value
        for field, line in zip(body.body, body.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)
    }


def shown(name: str, values: Mapping[str, Any]) -> str:
    """The value of a dotted name as YAML would take it; what a search finds; nothing below null."""
    if name in values.get("tune", {}).get("space", {}):
        return "searched"
    value: Any = values
    for part in name.split("."):
        if value is None:
            return ""
        value = value[part]
    return f"`{json.dumps(value)}`"


def one_line(text: str | None) -> str:
    """A docstring's first paragraph."""
    return " ".join((text or "").partition("\n\n")[0].split())


def made() -> str:
    """The page of this project's params.yaml."""
    return page(params.read(ROOT / "params.yaml"))


def test_the_page_says_what_params_and_docstrings_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == made(), "run `python -m tests.test_params_page`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Oven:
    """An oven."""

    heat: float
    """In degrees,
    of Kelvin."""
    modes: tuple[Literal["air", "grill"], ...]
    """What it can | may do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kitchen:
    """A kitchen."""

    oven: Oven
    """Not a row of its own."""
    spare: Oven | None
    """Beside it, or null."""


def test_a_row_holds_a_keys_name_its_default_and_its_docstring() -> None:
    oven = {"heat": 500.0, "modes": ["air"]}
    values = {"kitchen": {"oven": oven, "spare": None}, "tune": {"space": {"kitchen.spare.heat": {}}}}

    assert list(rows(Kitchen, "kitchen", values)) == [
        "| `oven.heat` | `500.0` | In degrees, of Kelvin. |",
        r'| `oven.modes` | `["air"]` | What it can \| may do. Of `air`, `grill`. |',
        "| `spare` | `null` | Beside it, or null. |",
        "| `spare.heat` | searched | In degrees, of Kelvin. |",
        r"| `spare.modes` |  | What it can \| may do. Of `air`, `grill`. |",
    ]


if __name__ == "__main__":
    write_text(PAGE, made())
