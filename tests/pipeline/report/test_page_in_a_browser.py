"""The page opened in Chromium from a file, without a network, at two widths, and clicked through."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CLICKS = """<script>
addEventListener("load", () => {
  const root = document.documentElement, links = [...document.querySelectorAll("nav a")];
  const arrived = links.map((link) => {
    link.click();
    return location.hash === link.getAttribute("href") && document.querySelector(location.hash).offsetHeight > 0;
  });
  const folded = [...document.querySelectorAll("details")];
  folded.forEach((one) => one.querySelector("summary").click());
  const found = {
    width: innerWidth, needed: root.scrollWidth, arrived, opened: folded.map((one) => one.open),
    empty: [...document.querySelectorAll("figure svg")].filter((one) => one.getBoundingClientRect().height < 5).length,
  };
  document.title = "found " + JSON.stringify(found);
});
</script>"""
"""Follows every link of the contents, unfolds everything, and tells in the title what it saw."""


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 500])
def test_every_link_arrives_everything_unfolds_and_nothing_is_wider_than_the_window(
    page: str, width: int, tmp_path: Path
) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium here; Debian's package of this name has it")
    (tmp_path / "index.html").write_text(page.replace("</body>", f"{CLICKS}</body>"), encoding="utf-8")

    found = seen(chromium, tmp_path, width=width)

    assert found["width"] == width
    assert found["needed"] <= width
    assert len(found["arrived"]) == 9
    assert all(found["arrived"])
    assert found["opened"] == [True] * 3
    assert found["empty"] == 0


def seen(chromium: str, folder: Path, *, width: int) -> dict[str, Any]:
    """What the script saw in a window of this width; Chromium knows none below 500 pixels."""
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
    own = f"--user-data-dir={folder / 'profile'}"
    page = (folder / "index.html").as_uri()
    command = [chromium, *options, own, f"--window-size={width},900", "--dump-dom", page]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    title = re.search(r"<title>found (.*?)</title>", done.stdout)
    assert title is not None, done.stdout[:500]
    told: dict[str, Any] = json.loads(title[1].replace("&amp;", "&"))
    return told
