"""What several verbs take, and what all of them tell."""

from pathlib import Path
from typing import Annotated

import typer

PARAMS_FILE = Path("params.yaml")

Params = Annotated[Path, typer.Option("--params", help="The params file.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Instead of the params file's; may be given several times."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

EXITS = (
    "Exit codes: 0 done, 1 refused in one line or something blocks, 2 wrong arguments, 130 ended by Ctrl-C. "
    "Paths are relative to --project, else to this folder."
)
