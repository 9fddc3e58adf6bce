"""The pages say what is true of the command line and of the formats: verbs, options, targets, examples of files."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from dsn import skeleton as skeletons
from pipeline.__main__ import app
from pipeline.artifacts import read_json, write_text
from pipeline.posetrack.sources import find_source, read_videos
from tests.test_verbs_page import commands
from tests.world import pages

PAGES = sorted([*pages.ROOT.glob("*.md"), *(pages.ROOT / "docs").rglob("*.md")])
VERB = re.compile(r"(?:python -m pipeline|dsn-pose) ((?:[a-z]|--).*)")


def called(text: str) -> list[list[str]]:
    """The words behind `python -m pipeline` wherever a page calls it, in lines of code or between backticks."""
    lines = [
        line
        for block in re.findall(r"```\w*\n(.*?)```", text, flags=re.DOTALL)
        for line in block.replace("\\\n", "").splitlines()
    ]
    spans = [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]
    found = [VERB.fullmatch(line.partition("  #")[0].strip()) for line in (*lines, *spans)]
    return [shlex.split(match[1]) for match in found if match is not None]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(pages.ROOT)))
def test_a_page_calls_verbs_with_options_that_they_have(path: Path) -> None:
    verbs = dict(commands(typer.main.get_command(app)))

    wrong = [" ".join(words) for words in called(path.read_text(encoding="utf-8")) if not known(words, verbs)]

    assert not wrong


def known(words: list[str], verbs: dict[str, Any]) -> bool:
    """Whether a verb is there, or all of a group's, and has the options that are given."""
    name = next((" ".join(words[:count]) for count in (2, 1) if " ".join(words[:count]) in verbs), None)
    if name is None:
        return any(verb.startswith(f"{words[0]} ") for verb in verbs) and len(words) == 1
    options = {name for one in verbs[name].params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
    return name == "cluster run" or {word for word in words if word.startswith("--")} <= options


def test_what_is_called_is_found_in_blocks_and_between_backticks() -> None:
    block = "```sh\npython -m pipeline doctor  # look\n```\n"
    text = f"Say `dsn-pose lineage --data d1`, or `python -m pipeline\nscore --gt A`:\n\n{block}"

    assert called(text) == [["doctor"], ["lineage", "--data", "d1"], ["score", "--gt", "A"]]
    assert not known(["doctor", "--loudly"], dict(commands(typer.main.get_command(app))))
    assert not known(["doktor"], dict(commands(typer.main.get_command(app))))


def test_the_example_of_own_data_is_read_as_the_page_says(tmp_path: Path) -> None:
    annotations, skeleton = pages.blocks("docs/own_data.md", "json")
    for split in ("train", "val"):
        write_text(tmp_path / "annotations" / split / "walk.json", annotations)
    write_text(tmp_path / "skeleton.json", skeleton)

    source = find_source(tmp_path)
    [video] = read_videos(source, "train")
    [person] = video.people

    assert source.skeleton == skeletons.from_dict(read_json(tmp_path / "skeleton.json"))
    assert [frame.is_labeled for frame in video.frames] == [True, False]
    assert person.keypoints[:, 2].tolist() == [1, 1, 1, 1, 0]
    assert person.occluded == (False, False, True, False, None)
    assert person.bbox == (40, 20, 100, 180)
