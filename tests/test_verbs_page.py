"""docs/reference/verbs.md, made of what --help knows; `python -m tests.test_verbs_page` writes it anew."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from pipeline.__main__ import app
from pipeline.artifacts import write_text

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "verbs.md"
HEAD = """# Verbs

`python -m pipeline VERB` from the project's folder, or `dsn-pose VERB` where the wheel is installed; `--help` behind
any of them shows what stands here, for this page is made of it by `python -m tests.test_verbs_page`.
"""
EXAMPLE = "Example: "


def page() -> str:
    """The page as it should be."""
    verbs = commands(typer.main.get_command(app))
    return "\n".join([HEAD, *(chapter(name, verb) for name, verb in verbs)])


def commands(command: Any, *, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command below a typer command with its full name, but for those that are hidden."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
        return
    for word, below in inner.items():
        if not below.hidden:
            yield from commands(below, name=f"{name} {word}".strip())


def chapter(name: str, command: Any) -> str:
    """What a verb does, its examples as code, and a table of its arguments and options."""
    told = [told_paragraph(text) for text in command.help.strip().split("\n\n")]
    rows = [row(parameter) for parameter in command.params if not parameter.hidden and parameter.help]
    table = ["| given | means |\n|---|---|\n" + "\n".join(rows) + "\n"] if rows else []
    return "\n".join([f"## {name}\n", *told, *table])


def told_paragraph(text: str) -> str:
    """A paragraph of a docstring; an example as code."""
    lines = [line.strip() for line in text.splitlines()]
    if lines[0].startswith(EXAMPLE):
        return "```sh\n" + "\n".join(line.removeprefix(EXAMPLE) for line in lines) + "\n```\n"
    return " ".join(lines) + "\n"


def row(parameter: Any) -> str:
    """An argument or option: its name, then what it is, what it may be, and what it is where it is not given."""
    means = " ".join(filter(None, [cell(parameter.help), choices(parameter), otherwise(parameter)]))
    return f"| {spelt(parameter)} | {means} |"


def spelt(parameter: Any) -> str:
    """How it is written: `SOURCES ...`, `--model`, `--overlay` and `--no-overlay` where it is on by itself."""
    if not parameter.opts[0].startswith("-"):
        return f"`{parameter.name.upper()}{' ...' if parameter.nargs == -1 else ''}`"
    return listed((*parameter.opts, *(parameter.secondary_opts if parameter.default is True else ())))


def choices(parameter: Any) -> str:
    """`One of ...`, where it takes one of a few words."""
    kind = parameter.type_descriptor.annotation
    return f"One of {listed(get_args(kind))}." if get_origin(kind) is Literal else ""


def listed(words: tuple[Any, ...]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def otherwise(parameter: Any) -> str:
    """What holds where it is not given."""
    if parameter.required:
        return "Must be given."
    if parameter.default is True:
        return "On."
    return f"Default: `{parameter.default}`." if parameter.default not in (None, False, "") else ""


def cell(text: str) -> str:
    """Text for a table, in which a bar would end the cell."""
    return " ".join(text.split()).replace("|", r"\|")


def test_the_page_says_what_help_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.test_verbs_page`"


def test_a_row_says_how_a_parameter_is_written_what_it_may_be_and_what_it_is_else() -> None:
    small = typer.Typer(add_completion=False)

    @small.command()
    def verb(
        names: Annotated[list[str], typer.Argument(help="Some | of them.")],
        speed: Annotated[Literal["slow", "fast"], typer.Option(help="How fast.")] = "slow",
        *,
        loud: Annotated[bool, typer.Option(help="Be heard.")] = True,
        far: Annotated[bool, typer.Option(help="Be heard far away.")] = False,
    ) -> None:
        """Take anything, and do nothing."""

    assert [row(parameter) for parameter in typer.main.get_command(small).params] == [
        r"| `NAMES ...` | Some \| of them. Must be given. |",
        "| `--speed` | How fast. One of `slow`, `fast`. Default: `slow`. |",
        "| `--loud`, `--no-loud` | Be heard. On. |",
        "| `--far` | Be heard far away. |",
    ]


if __name__ == "__main__":
    write_text(PAGE, page())
