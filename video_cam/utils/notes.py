"""Notes on a result: a line for its readers, which is a warning or information."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WARNING: Literal["warning"] = "warning"
INFORMATION: Literal["information"] = "information"


@dataclass(frozen=True)
class Note:
    """A line that a reader of a result should know.

    Attributes:
        text: the line.
        kind: WARNING where the result may be wrong, or not of what was asked for; else INFORMATION.
    """

    text: str
    kind: Literal["warning", "information"] = INFORMATION

    def __str__(self) -> str:
        """The line, with its kind where that is a warning."""
        return f"{WARNING}: {self.text}" if self.kind == WARNING else self.text
