"""The order of the tests: long files first."""

from __future__ import annotations

from pathlib import Path

from tests.support.long_files import LONG_FILES, rank

ROOT = Path(__file__).parent.parent


def test_long_files_exist_and_come_first() -> None:
    assert len(set(LONG_FILES)) == len(LONG_FILES)
    assert [path for path in LONG_FILES if not (ROOT / path).is_file()] == []
    files = ["tests/test_errors.py", LONG_FILES[1], LONG_FILES[0]]
    ordered = sorted((f"{file}::test_a[x]" for file in files), key=rank)
    assert [node.split("::")[0] for node in ordered] == files[::-1]
