"""The code blocks of the documents: fenced ones, and those that are indented by four spaces."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

INDENT = "    "
FENCE = re.compile(r"```(\w*)(?: file=(\S+))?")
LIST_ITEM = re.compile(r"\s*(?:[-*]|\d+\.) ")
ASSIGNMENT = re.compile(r"\w+=")
CALL = re.compile(r"\bpython run_video_cam\.py\b|\bvideo-cam\s")
VARIABLE = re.compile(r"\$\w+")
OPERATORS = ("&&", "&", ";", "|", ">", ">>")  # what follows one is taken for another command


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        kind: the language of a fenced block, "" for an indented one.
        file: the file that the block is written to, "" for none.
        text: its lines, each with a newline.
        line: the number of its first line in the document, from 1.
    """

    kind: str
    file: str
    text: str
    line: int

    @property
    def first_line(self) -> str:
        """What names the block in a list."""
        return self.text.splitlines()[0].strip()


def blocks(document: str) -> list[Block]:
    """All code blocks of a document's text, in order."""
    lines = document.splitlines()
    found, i, is_in_list = [], 0, False
    while i < len(lines):
        start = i
        fence = FENCE.fullmatch(lines[i])
        follows_text = i > 0 and bool(lines[i - 1].strip())
        if fence:
            i = lines.index("```", i + 1)
            text = lines[start + 1 : i]
            found.append(Block(fence[1], fence[2] or "", _joined(text), start + 2))
        elif lines[i].startswith(INDENT) and not follows_text and not is_in_list:
            while i < len(lines) and (lines[i].startswith(INDENT) or not lines[i].strip()):
                i += 1
            text = [line.removeprefix(INDENT) for line in lines[start:i]]
            found.append(Block("", "", _joined(text).rstrip() + "\n", start + 1))
            continue
        elif lines[i].strip():
            is_in_list = bool(LIST_ITEM.match(lines[i])) or (is_in_list and lines[i][0] == " ")
        i += 1
    return found


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def shell_lines(text: str) -> list[str]:
    """The lines of a block of shell commands, with continued lines joined."""
    return [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command in lines that call video_cam; a variable has the value 1.

    Other lines are not read: a block may also hold what a command prints.
    """
    for line in shell_lines(VARIABLE.sub("1", text)):
        if not CALL.search(line):
            continue
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word not in OPERATORS:
                words.append(word)
                continue
            while words and ASSIGNMENT.match(words[0]):
                del words[0]
            if words:
                yield words
            words = []
