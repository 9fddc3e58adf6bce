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
from pipeline.refusal import Refusal

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
    assert re.search(r"Exit codes: 0 done, 1 refused.*, 2 wrong arguments, 130 ended by Ctrl-C", done.stdout)


WITHOUT_JSON = {("cluster", "down"), ("cluster", "run"), ("cluster", "up"), ("config", "use")}
"""What they print is another command's, or one word."""


def test_what_a_verb_finds_out_can_be_had_as_json() -> None:
    told = {verb for verb in VERBS if "--json" in options(verb)}

    assert told == set(VERBS) - WITHOUT_JSON


def test_what_reads_params_takes_another_file_and_single_values() -> None:
    several = {verb for verb in VERBS if {"--params", "--set"} <= options(verb)}

    assert several == {
        ("browse",), ("check",), ("config", "show"), ("describe",), ("export",), ("import-weights",), ("lineage",),
        ("predict",), ("rollback",),
    }  # fmt: skip


def options(verb: tuple[str, ...]) -> set[str]:
    """The names of a verb's options."""
    command: Any = typer.main.get_command(app)
    for name in verb:
        command = command.commands[name]
    return {name for parameter in command.params for name in parameter.opts}


def test_a_verb_works_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # and back when the test ends

    done = CliRunner().invoke(app, ["--project", str(ROOT), "config", "show", "model.clip"])

    assert done.stdout == "model.clip.offsets: [-2, -1, 1, 2]\n"
    assert Path.cwd() == ROOT


def test_a_project_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--project", str(tmp_path / "absent"), "config", "show"])

    assert isinstance(done.exception, Refusal)
    assert "which is no folder; wanted the project's root" in str(done.exception)


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
