"""docs/ builds as a site without a warning, which holds every page and fetches nothing from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a link that leads nowhere, or a page that the navigation lacks, is a warning."""
    folder = tmp_path_factory.mktemp("site") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, check=False, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_of_the_repository_is_a_page_of_the_site(site: Path) -> None:
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]

    missing = [
        page for page in pages if not (site / str(page).replace("README", "index")).with_suffix(".html").is_file()
    ]

    assert pages
    assert not missing


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    fetching = r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=[\"']?(?:https?:)?//[^\"'>\s]+"
    pages = {path: re.findall(fetching, path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    styles = {
        path: re.findall(r"url\((?:https?:)?//", path.read_text(encoding="utf-8")) for path in site.rglob("*.css")
    }

    assert pages
    assert not {path.name: found for path, found in (pages | styles).items() if found}
