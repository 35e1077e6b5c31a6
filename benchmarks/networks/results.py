"""``Result``: what came of one network, as JSON and as a row of a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAPPED, REFUSED, NOT_RUN, FAULT = "mapped", "refused", "not run", "fault"
HEADS = (
    *("network", "repository", "asked", "result", "difference"),
    *("patch, 9 places", "flash, 4 times", "seconds"),
)


@dataclass
class Result:
    """What came of one network.

    Attributes:
        name, repository, asked: of the Network.
        outcome: MAPPED; REFUSED with one line by the tool; NOT_RUN, because the network itself
            could not be made; FAULT, where something else was raised.
        layer: that was mapped.
        shape: of its map (T', H', W').
        layer_in_time, shape_in_time: of the layer that ``--layer when`` stands for.
        message: what was raised, or what else the difference shows.
        difference: to Grad-CAM by hand, relative; see ``reference.relative_difference``.
        dtype: that Grad-CAM by hand ran in.
        in_space, in_time: see ``places.Answers``; empty where there is a single cell. Times are
            those of ``layer_in_time``.
        seconds: of everything.
    """

    name: str
    repository: str
    asked: str
    outcome: str = NOT_RUN
    layer: str = ""
    shape: tuple[int, ...] = ()
    message: str = ""
    layer_in_time: str = ""
    shape_in_time: tuple[int, ...] = ()
    difference: float | None = None
    dtype: str = ""
    in_space: str = ""
    in_time: str = ""
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Result:
        """From ``vars(result)`` that has been through JSON."""
        lists = {name: tuple(content[name]) for name in ("shape", "shape_in_time")}
        return cls(**{**content, **lists})

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells of its row, one for each of HEADS."""
        result = f"{self.outcome}: {self.message}"
        if self.outcome == MAPPED:
            result = f"`{self.layer}` {_by(self.shape)}"
            if self.layer_in_time != self.layer:
                result += f"; when: `{self.layer_in_time}` {_by(self.shape_in_time)}"
            result += f"; {self.message}" if self.message else ""
        difference = ""
        if self.difference is not None:
            difference = f"{self.difference:.0e}" + (" (float32)" * (self.dtype == "float32"))
        return (
            *(self.name, self.repository, self.asked, result, difference),
            *(self.in_space, self.in_time, f"{self.seconds:.0f}"),
        )


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def markdown(results: Sequence[Result]) -> str:
    """The table."""
    rows = [HEADS, ("---",) * len(HEADS), *(result.cells for result in results)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)
