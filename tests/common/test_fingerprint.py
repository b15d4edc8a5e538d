"""The short names of long texts: those of FNV-1a, so that every process finds what another one has named."""

from __future__ import annotations

import pytest

from reloader.common.fingerprint import fingerprint


@pytest.mark.parametrize(
    ("text", "name"),
    [(b"", "cbf29ce484222325"), (b"a", "af63dc4c8601ec8c"), (b"foobar", "85944171f73967e8")],
)
def test_it_is_that_of_the_published_examples(text: bytes, name: str) -> None:
    assert fingerprint(text) == name
