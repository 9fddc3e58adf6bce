"""Every verb says what it does, and how it is called."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pipeline.__main__ import app

ROOT = Path(__file__).parents[3]


def verbs(command: Any, *, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Names of all verbs that are shown, groups not."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield before
        return
    for name, one in inner.items():
        if not one.hidden:
            yield from verbs(one, before=(*before, name))


VERBS = sorted(verbs(typer.main.get_command(app)))


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_verbs_help_shows_an_example_of_it(verb: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*verb, "--help"], env={"COLUMNS": "300"})

    assert done.exit_code == 0
    assert re.search(rf"Example: python -m pipeline {' '.join(verb)}\b", done.stdout)


def test_no_colour_is_printed_where_nobody_wants_it() -> None:
    environment = {"NO_COLOR": "1", "FORCE_COLOR": "", "TERM": "xterm-256color", "PATH": ""}

    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "score", "--gt"], cwd=ROOT, env=environment, capture_output=True, check=False
    )

    assert done.returncode == 2
    assert b"\x1b[3" not in done.stdout + done.stderr


def test_a_refusal_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline", "config", "show", "--params", str(tmp_path / "params.yaml")]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "no such file" in done.stderr
