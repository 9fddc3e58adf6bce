"""The page opened in Chromium from a file, without a network, at a desk's and a phone's width, and clicked through."""

import shutil
from pathlib import Path

import pytest

from tests.world.browser import evaluated, opened, running

CLICKS = """(() => {
  const root = document.documentElement, links = [...document.querySelectorAll("nav a")];
  const arrived = links.map((link) => {
    link.click();
    return location.hash === link.getAttribute("href") && document.querySelector(location.hash).offsetHeight > 0;
  });
  const folded = [...document.querySelectorAll("details")];
  folded.forEach((one) => one.querySelector("summary").click());
  return {
    width: innerWidth, needed: root.scrollWidth, arrived, opened: folded.map((one) => one.open),
    empty: [...document.querySelectorAll("figure svg")].filter((one) => one.getBoundingClientRect().height < 5).length,
  };
})()"""
"""Follows every link of the contents, unfolds everything, and tells what it saw."""


@pytest.mark.slow
@pytest.mark.parametrize(("width", "is_phone"), [(1280, False), (360, True)])
def test_every_link_arrives_everything_unfolds_and_nothing_is_wider_than_the_window(
    page: str, tmp_path: Path, *, width: int, is_phone: bool
) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium here; Debian's package of this name has it")
    (tmp_path / "index.html").write_text(page, encoding="utf-8")

    with running(chromium, tmp_path / "profile") as tools:
        opened(tools, tmp_path / "index.html", width=width, is_phone=is_phone)
        found = evaluated(tools, CLICKS)

    assert found["width"] == width
    assert found["needed"] <= width
    assert len(found["arrived"]) == 9
    assert all(found["arrived"])
    assert found["opened"] == [True] * 3
    assert found["empty"] == 0
