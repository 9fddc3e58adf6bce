"""How a stage's main function becomes a command."""

import argparse
import inspect
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pipeline.refusal import Refusal

OUTS_ARE_GONE = "DVC removed this stage's old outputs before it ran; `dvc checkout` brings them back."


def run_stage(main: Callable[..., None]) -> None:
    """Run a stage's `main` from command-line flags named as its parameters.

    Every parameter is a path, a path or URL, a string, a whole number, or a dataclass whose fields are paths, each a
    flag of its own. A `Refusal` ends the process with its one line and status 1; every other error keeps its traceback.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=inspect.getdoc(main))
    kinds = {name: parameter.annotation for name, parameter in inspect.signature(main).parameters.items()}
    for name, kind in kinds.items():
        for flag in _flags(name, kind):
            parser.add_argument(f"--{flag}", type=_reader(kind), required=True)
    given = vars(parser.parse_args())
    try:
        main(**{name: _value(name, kind, given) for name, kind in kinds.items()})
    except Refusal as refusal:
        note = OUTS_ARE_GONE if "DVC_STAGE" in os.environ else ""
        sys.exit(f"{refusal}\n{note}".strip())


def path_or_url(text: str) -> Path | str:
    """A URL as it is, anything else as a path."""
    return text if "://" in text else Path(text)


def _reader(kind: Any) -> Callable[[str], Any]:
    """What makes a flag's text the value of a parameter."""
    if kind == Path | str:
        return path_or_url
    return kind if kind in {str, int} else Path


def _flags(name: str, kind: Any) -> list[str]:
    return [field.name for field in fields(kind)] if is_dataclass(kind) else [name]


def _value(name: str, kind: Any, given: dict[str, Any]) -> Any:
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(**{flag: given[flag] for flag in _flags(name, kind)})
    return given[name]
