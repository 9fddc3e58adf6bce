"""How a stage's main function becomes a command."""

import argparse
import inspect
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from pipeline.refusal import Refusal

OUTS_ARE_GONE = "DVC removed this stage's old outputs before it ran; `dvc checkout` brings them back."


def run_stage(main: Callable[..., None]) -> None:
    """Run a stage's `main`, whose parameters are all paths, from command-line flags of the same names.

    A `Refusal` ends the process with its one line and status 1; every other error keeps its traceback.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=inspect.getdoc(main))
    for name in inspect.signature(main).parameters:
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, required=True)
    arguments = vars(parser.parse_args())
    try:
        main(**arguments)
    except Refusal as refusal:
        note = OUTS_ARE_GONE if "DVC_STAGE" in os.environ else ""
        sys.exit(f"{refusal}\n{note}".strip())
