"""What the docs take from the code is fresh, every option is explained, and every link leads somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from reloader.cli.help import Section
from reloader.cli.options import PARAMS, Option

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


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))],
    ids=lambda p: p.name,
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target
