"""The README's generated parts: its stage table and its tree; `python -m tests.test_readme` writes them anew."""

import ast
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline import params
from pipeline.artifacts import write_text

ROOT = Path(__file__).parents[1]
CODE = ("dsn", "pipeline", "stages")
WIDTH = 38
"""Column at which the tree's phrases begin."""

PHRASES = {
    ".ci/run": "The whole proof on a fresh clone: checks, tests, DAG",
    ".dvc/.gitignore": "What of DVC's folder stays local",
    ".dvc/config": "DVC without telemetry",
    ".gitignore": "What the pipeline writes, none of it in git",
    "CHANGELOG.md": "What changed, by version",
    "CONTRIBUTING.md": "How to work on this",
    "LICENSE": "Apache License 2.0",
    "README.md": "This page",
    "dvc.lock": "What each stage last read, and what it wrote",
    "pyproject.toml": "The package, its dependencies, and the rules of ruff, mypy, pytest and import-linter",
    "requirements.lock": "The exact versions that `make` installs",
    "ablate": "The ablation's own DAG, which `make ablate` runs; a plain `dvc repro` leaves it alone",
    "benchmarks/results/ablation.csv": "The lines of ablation.md for machines",
    "benchmarks/results": "What benchmarks printed, with day, commit and machine",
    "docs/pictures/clips.jpg": "Clips as training gets them",
    "docs/pictures/drawn.jpg": "Frames that this project drew",
    "docs/pictures/predicted.jpg": "Frames with boxes, tracks and poses",
    "docs/pictures/stress.jpg": "A keyframe under stress, as read by the network and its controls",
    "deploy": "Launch files for clusters; docs/cluster.md walks through them",
    "docs": "What the code does not say itself",
    "docs/reference": "Made of what the code says, by tests",
    "docs/decisions": "Hard choices: context, decision, consequences",
    "docs/pictures": "The pictures of these pages",
    "pipeline/report/page.css": "How the page looks",
    "pipeline/report/page.html.j2": "The page",
    "presets": "Overlays of params.yaml, written into it by `python -m pipeline config use NAME`",
    "presets/network": "Variants of the network: what each changes of v3_2",
    "tests": "Mirrors the packages; each name is a claim",
    "tests/world": "What the tests make their small world of",
}
"""Phrases of what cannot hold one itself."""


def stage_table(dvc: Mapping[str, Any]) -> str:
    """The stages of a dvc.yaml as a Markdown table: what each does, which data it reads, and what it writes."""
    rows = ["| stage | does | reads | writes |", "|---|---|---|---|"]
    for name, stage in dvc["stages"].items():
        reads = [path for path in stage["deps"] if path.split("/")[0] not in CODE] or ["params.yaml"]
        writes = [path for kind in ("outs", "metrics", "plots") for path in names(stage.get(kind, []))]
        rows.append(f"| {name} | {stage['desc']} | {_grouped(reads)} | {_grouped(writes)} |")
    return "\n".join(rows)


def names(entries: Iterable[str | Mapping[str, Any]]) -> list[str]:
    """The paths of a dvc.yaml list, whose entries may be `path` or `{path: options}`."""
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def _grouped(paths: Iterable[str]) -> str:
    """Paths as code, those of one folder in braces: `data/shards/{select,train}`."""
    groups: dict[str, list[str]] = {}
    for path in sorted(paths):
        folder, _, name = path.rpartition("/")
        groups.setdefault(folder if "$" not in path else path, []).append(name or path)
    return ", ".join(_braced(folder, found) for folder, found in groups.items())


def _braced(folder: str, found: list[str]) -> str:
    if "$" in folder:
        return f"`{folder}`"
    if not folder:
        return ", ".join(f"`{name}`" for name in found)
    return f"`{folder}/{found[0]}`" if len(found) == 1 else f"`{folder}/{{{','.join(found)}}}`"


def tree(root: Path) -> str:
    """Every file that git keeps or would keep below `root`, with one phrase each."""
    lines: list[str] = []
    told: set[str] = set()
    for path in sorted(kept_files(root), key=lambda path: (str(path.parent) != ".", str(path))):
        for folder in reversed(path.parents[:-1]):
            if str(folder) not in told:
                told.add(str(folder))
                lines.append(_line(f"{folder.name}/", folder_phrase(root, folder), depth=len(folder.parts) - 1))
        if path.name != "__init__.py":
            lines.append(_line(path.name, file_phrase(root, path), depth=len(path.parts) - 1))
    return "```\n" + "\n".join(lines) + "\n```"


def kept_files(root: Path) -> list[Path]:
    """Paths, relative to `root`, of all files that are there and not ignored by git."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [Path(name) for name in listed.split("\0") if name and (root / name).is_file()]


def _line(name: str, phrase: str, *, depth: int) -> str:
    return f"{'  ' * depth}{name}".ljust(WIDTH) + f"  {phrase}" if phrase else f"{'  ' * depth}{name}"


def folder_phrase(root: Path, folder: Path) -> str:
    """A package's docstring; nothing for a plain folder that PHRASES does not name."""
    package = root / folder / "__init__.py"
    return _sentence(_docstring(package)) if package.is_file() else PHRASES.get(str(folder), "")


def file_phrase(root: Path, path: Path) -> str:
    """The first sentence of a file about itself: docstring, heading or comment; for bare tests the first claim.

    Raises:
        ValueError: the file says nothing, and PHRASES does not speak for it.
    """
    if str(path) in PHRASES:
        return PHRASES[str(path)]
    text = (root / path).read_bytes().decode(errors="replace")
    match path.suffix:
        case ".py":
            found = _docstring(root / path) or _first_claim(text)
        case ".md":
            found = re.sub(r"^# (\d+\. )?", "", text.partition("\n")[0])
        case ".json" if path.parts[:2] == ("benchmarks", "results"):
            found = f"Of benchmarks.{path.stem}"
        case _:
            found = _first_comment(text)
    if not found:
        raise ValueError(
            f"{path} says nothing about itself: give it a docstring, a heading or a comment, or a phrase here"
        )
    return _sentence(found)


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def _first_claim(text: str) -> str:
    claim = re.search(r"^def test_(\w+)", text, flags=re.MULTILINE)
    return claim[1].replace("_", " ") if claim else ""


def _first_comment(text: str) -> str:
    """Of YAML, a Makefile or a script (`# ...`), a page (`{# ... #}`, `<!-- ... -->`) or a style (`/* ... */`)."""
    comment = re.search(r"^(?:#|\{#|<!--|/\*) (.+?)(?: #\}| -->| \*/)?$", text, flags=re.MULTILINE)
    return comment[1] if comment else ""


def _sentence(text: str) -> str:
    """The first sentence, or the first line where none ends, without its full stop."""
    return re.split(r"\.\s|\n", text)[0].removesuffix(".")


def between(text: str, marker: str, content: str) -> str:
    """`text` with `content` between `<!-- marker -->` and `<!-- /marker -->`.

    Raises:
        ValueError: there is no such pair of markers.
    """
    first, last = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    if first not in text or last not in text:
        raise ValueError(f"wanted {first} and {last} in the text")
    before, after = text.partition(first)[0], text.partition(last)[2]
    return f"{before}{first}\n{content}\n{last}{after}"


def generated(root: Path) -> str:
    """The README as it should be."""
    text = (root / "README.md").read_text(encoding="utf-8")
    text = between(text, "stages", stage_table(params.read(root / "dvc.yaml")))
    return between(text, "tree", tree(root))


def test_the_readme_holds_the_stages_of_dvc_yaml_and_every_file() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert text == generated(ROOT), "run `python -m tests.test_readme`"


def test_the_stage_table_tells_data_from_code_and_folds_the_files_of_one_folder() -> None:
    stage = {
        "desc": "packs",
        "deps": ["stages/shard.py", "dsn", "pipeline/shards", "${data.root}", "data/index"],
        "outs": ["out/b", {"out/a": {"cache": False}}, "one.json"],
        "plots": [{"curve/c.csv": {"x": "step"}}],
    }

    table = stage_table({"stages": {"shard": stage}}).splitlines()

    wanted = "| shard | packs | `${data.root}`, `data/index` | `curve/c.csv`, `one.json`, `out/{a,b}` |"
    assert table[2:] == [wanted]


def test_a_stage_without_data_reads_params() -> None:
    table = stage_table({"stages": {"draw": {"desc": "draws", "deps": ["dsn/skeleton.py"], "outs": ["data"]}}})

    assert table.splitlines()[2] == "| draw | draws | `params.yaml` | `data` |"


def test_the_tree_holds_one_phrase_a_file_and_no_ignored_file(tmp_path: Path) -> None:
    files = {
        "a.py": '"""Does a. And more."""\n',
        "Makefile": "# Builds it.\nall:\n",
        "pack/__init__.py": '"""A package."""\n',
        "pack/page.md": "# A page\n\nText.\n",
        "pack/test_it.py": "def test_one_is_one() -> None:\n    assert 1 == 1\n",
        ".gitignore": "*.log\n",
        "x.log": "",
    }
    for name, text in files.items():
        write_text(tmp_path / name, text)
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)

    lines = [line.split(maxsplit=1) for line in tree(tmp_path).splitlines()[1:-1]]

    assert lines == [
        [".gitignore", PHRASES[".gitignore"]],
        ["Makefile", "Builds it"],
        ["a.py", "Does a"],
        ["pack/", "A package"],
        ["page.md", "A page"],
        ["test_it.py", "one is one"],
    ]


def test_a_file_that_says_nothing_about_itself_is_refused(tmp_path: Path) -> None:
    write_text(tmp_path / "silent.py", "A = 1\n")

    with pytest.raises(ValueError, match=r"silent\.py says nothing"):
        file_phrase(tmp_path, Path("silent.py"))


def test_a_text_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="<!-- tree -->"):
        between("no markers", "tree", "content")


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    text = "before\n<!-- tree -->\nold\n<!-- /tree -->\nafter\n"

    assert between(text, "tree", "new") == "before\n<!-- tree -->\nnew\n<!-- /tree -->\nafter\n"


if __name__ == "__main__":
    write_text(ROOT / "README.md", generated(ROOT))
