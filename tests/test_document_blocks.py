"""Each code block of the documents is run by a test, or listed with the reason why not."""

from __future__ import annotations

import pytest

from tests.support.documents import Block, blocks, commands
from tests.support.unrun_blocks import CHECKOUTS, UNRUN
from tests.test_documents import DOCUMENTS, WITH_BLOCKS, read
from video_cam.cli import app, demo, export, verify
from video_cam.cli.arguments import command_options, parse, run_config

FOLLOWED = ("README.md", "docs/index.md")  # by .ci/follow_readme.py, every command
LANGUAGES = ("python", "bash")


def why_not_run(document: str, block: Block) -> str | None:
    """The reason why no test runs a block; "" where one does, None where nothing is known."""
    if document in FOLLOWED or (document in WITH_BLOCKS and block.kind in LANGUAGES):
        return ""
    if document == "docs/known-repositories.md":
        return CHECKOUTS
    return UNRUN.get(document, {}).get(block.first_line)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_block_is_run_or_listed(document: str) -> None:
    for block in blocks(read(document)):
        where = f"{document}:{block.line}"
        assert block.kind in ("", *LANGUAGES), f"{where}: no test runs {block.kind!r}"
        assert why_not_run(document, block) is not None, f"{where}: neither run nor listed"


@pytest.mark.parametrize("document", UNRUN)
def test_the_list_names_blocks_that_exist(document: str) -> None:
    first_lines = {block.first_line for block in blocks(read(document))}
    assert UNRUN[document].keys() <= first_lines, UNRUN[document].keys() - first_lines


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_have_options_that_exist(document: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(read(document)):
        if block.kind == "python":
            continue
        for words in commands(block.text):
            check_words(words)


def check_words(words: list[str]) -> None:
    """A command of video_cam is parsed; any other one is left alone."""
    if words[:2] == ["python", "run_video_cam.py"]:
        words = words[2:]
    elif words[0] == "video-cam":
        words = words[1:]
    else:
        return
    if words[0] == demo.NAME:
        assert len(words) == 1
    elif words[0] == verify.NAME:
        assert len(words) == 2
    elif words[0] == export.NAME:
        export.parser().parse_args(words[1:])
    else:
        parsed = parse(words[1:] if words[0] == app.NAME else words)
        command_options(parsed)
        run_config(parsed)


def test_blocks_are_found() -> None:
    text = (
        "Text:\n\n    video-cam one \\\n        --more\n    A=1 video-cam two & wait\n"
        "    what's printed\n\n"
        "- item\n\n    of the item\n\n"
        "```python file=nets.py\nx = 1\n```\n\nText\n    that goes on\n\n"
        "    video-cam 'a b' > $FILE\n"
    )
    first, code, last = blocks(text)
    assert [(one.kind, one.file, one.line) for one in (first, code, last)] == [
        ("", "", 3),
        ("python", "nets.py", 13),
        ("", "", 19),
    ]
    assert list(commands(first.text)) == [
        ["video-cam", "one", "--more"],
        ["video-cam", "two"],
        ["wait"],
    ]
    assert code.text == "x = 1\n"
    assert list(commands(last.text)) == [["video-cam", "a b"], ["1"]]
