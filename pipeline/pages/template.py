"""Pages from templates: the same environment for all, and the shared parts within reach."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2

from pipeline.pages.pictures import path


def fill(template: Path, values: dict[str, Any], *, filters: Mapping[str, Callable[..., str]] | None = None) -> str:
    """The page that a template makes of some values.

    Args:
        template: a file; it may include what lies beside it or in this folder.
        values: what it may ask for.
        filters: its own, beside `path`.

    Raises:
        jinja2.UndefinedError: the template asks for a value that is not given.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"path": path, **(filters or {})}
    return environment.get_template(template.name).render(values)
