"""What the docs take from the code is fresh, every option is explained, and every link leads somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from reloader.cli.help import Section
from reloader.cli.options import PARAMS, Option
from reloader.watching.rules import BUILT_IN_IGNORES, layer

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("refresh", ROOT / "docs" / "refresh.py")
assert spec is not None
assert spec.loader is not None
refresh = importlib.util.module_from_spec(spec)
spec.loader.exec_module(refresh)


@pytest.mark.parametrize("file", sorted({file for file, _ in refresh.PARTS}))
def test_what_the_docs_take_from_the_code_is_fresh(file: str) -> None:
    stale = (ROOT / file).read_text(encoding="utf-8") != refresh.renewed(file)
    assert not stale, "run: .venv/bin/python docs/refresh.py"


@pytest.mark.parametrize("option", [p for p in PARAMS if isinstance(p, Option)], ids=lambda p: p.opts[-1])
def test_every_option_has_both_helps(option: Option) -> None:
    assert option.help
    assert option.help.endswith((".", "]"))
    assert option.details.endswith(".")
    assert option.section in Section


PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def _anchors(page: Path) -> set[str]:
    """What `#` can lead to in a page: its headings, as GitHub makes links of them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", sorted(PAGES), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Seen to fail with a file that is not there, and with a heading that is not there."""
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        file = page.parent / target if target else page
        assert file.exists(), target
        assert not anchor or anchor in _anchors(file), f"{target}#{anchor}"


def test_every_folder_has_its_process_thread_and_python_version() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+)/` \| .+ \| (3\.\d+)\+.* \|$", text, re.MULTILINE)
    folders = {path.parent.name for path in (ROOT / "reloader").glob("*/__init__.py")}
    assert {name for name, _ in told} == folders
    # Those that test_shape.py parses as Python 3.8.
    assert {name for name, version in told if version == "3.8"} == {"common", "guard", "in_worker"}


def test_the_temporary_files_of_tools_that_are_listed_are_ignored() -> None:
    text = (ROOT / "docs" / "concepts" / "watching.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| (.+) \| .+ \|$", text[text.index("## Temporary files") :], re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert len(names) > 20
    rules = layer("/", BUILT_IN_IGNORES, "built-in")
    for name in names:
        sample = name.rstrip("/").replace("*", "name").replace("?", "a")
        assert rules.match(f"/{sample}", sample, name.endswith("/")) is not None, name
