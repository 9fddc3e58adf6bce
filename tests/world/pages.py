"""What the pages of docs/ tell people to type."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page, such as `docs/tutorial.md`, that are in a language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def commands(page: str) -> list[str]:
    """The lines of a page's blocks in `sh`, continued ones as one: what it says runs."""
    return [line for block in blocks(page, "sh") for line in block.replace("\\\n", "").splitlines()]
