"""Verbs on Ray."""

import subprocess
from typing import Annotated

import typer

from pipeline.verbs.options import EXITS

cluster = typer.Typer(no_args_is_help=True, help="Ray for several stages.")


@cluster.command(context_settings={"ignore_unknown_options": True}, epilog=EXITS)
def run(command: Annotated[list[str], typer.Argument(help="A command and its arguments.")]) -> None:
    """Run a command whose stages share one Ray, which saves each of them its start; exits as the command does.

    Example: python -m pipeline cluster run dvc repro
    """
    from pipeline.cluster import run_sharing

    try:
        run_sharing(command)
    except subprocess.CalledProcessError as error:
        raise typer.Exit(error.returncode) from None


@cluster.command(epilog=EXITS)
def up() -> None:
    """Start a Ray that stays for the commands to come, and print its address.

    Example: python -m pipeline cluster up
    """
    from pipeline.standing import up as start

    print(start())


@cluster.command(epilog=EXITS)
def down() -> None:
    """End the Ray that `up` started, and no other.

    Example: python -m pipeline cluster down
    """
    from pipeline.standing import down as end

    print("ended" if end() else "nothing was up")


@cluster.command(hidden=True)
def hold() -> None:
    """Be the process that `up` leaves behind."""
    from pipeline.cluster import hold as keep

    keep()
