"""The rows of the benchmark as Markdown tables, as JSON and as a chart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.truth.map_sources import CONTROL, DEFAULT_ALIGN, NO_DETAIL, OWN, MapRow
from benchmarks.truth.measures import MEAN_MAP, Values
from video_cam.metrics import Interval, bootstrap, paired_difference
from video_cam.utils.files import atomic_write

# JSON key -> heading of the column.
COLUMNS = {
    "space_pointing": "pointing, event's frames",
    "space_time_pointing": "pointing, clip",
    "average_precision": "average precision",
    "best_iou": "best IoU",
    "mass_in_event": "mass in event",
    "mass_on_distractors": "mass on distractors",
    "space_time_iou": "IoU",
    "temporal_hit": "hottest frame in event",
    "temporal_iou": "temporal IoU",
    "onset_error_frames": "onset error, frames",
    "lag_frames": "lag, frames",
    "insertion": "insertion",
    "deletion": "deletion",
    "average_drop": "drop",
    "average_increase": "increase",
}
SIGNED = ("lag_frames",)  # printed with a plus or minus
# The columns of the differences, and those of the chart.
MAIN_COLUMNS = (
    *("space_pointing", "space_time_pointing", "average_precision", "best_iou", "mass_in_event"),
    *("mass_on_distractors", "temporal_hit", "lag_frames", "insertion", "deletion"),
)
CHART_COLUMNS = MAIN_COLUMNS[:6]


@dataclass(frozen=True)
class TableRow:
    """The measured values of one row's maps; the other attributes are those of MapRow.

    Attributes:
        values: measure -> one value per clip.
        seconds: per clip.
    """

    method: str
    layer: str
    align: str
    source: str
    values: Values
    seconds: float
    detail: str = ""

    @classmethod
    def of(cls, maps: MapRow, values: Values) -> TableRow:
        """The row of ``maps`` with their measured values."""
        return cls(
            maps.method, maps.layer, maps.align, maps.source, values, maps.seconds, maps.detail
        )

    @property
    def name(self) -> str:
        """Source, method, layer, alignment and detail in one line."""
        source = self.source if self.source not in (OWN, CONTROL) else ""
        detail = f"detail {self.detail}" if self.detail not in ("", NO_DETAIL) else ""
        parts = (source, self.method, self.layer, self.align, detail)
        return " ".join(part for part in parts if part)


def as_json(rows: Sequence[TableRow]) -> list[dict[str, Any]]:
    """One object per row; each measure is an object of mean, low and high. NaN becomes None."""
    return [
        {
            "method": row.method,
            "layer": row.layer,
            "align": row.align,
            "detail": row.detail,
            "source": row.source,
            **{name: _plain(bootstrap(row.values[name])) for name in COLUMNS},
            # Measured once for all clips together, so there is no interval.
            "seconds": _plain(Interval(row.seconds, row.seconds, row.seconds)),
        }
        for row in rows
    ]


def _plain(interval: Interval) -> dict[str, float | None]:
    return {
        name: None if math.isnan(value) else value for name, value in interval._asdict().items()
    }


def markdown(rows: Sequence[TableRow]) -> str:
    """The main table: each mean with half the width of its 95 % interval.

    Drop and increase are followed by those of the mean map, in brackets.
    """
    heads = ["source", "method", "layer", "cells placed by", "detail"]
    heads += [*COLUMNS.values(), "ms a clip"]
    lines = [" | ".join(heads), "|".join(["---"] * len(heads))]
    for row in rows:
        cells = [row.source, row.method, row.layer, row.align, row.detail]
        cells += [_cell(row, name) for name in COLUMNS]
        lines.append(" | ".join([*cells, f"{1000 * row.seconds:.0f}"]))
    return "\n".join(f"| {line} |" for line in lines)


def difference_tables(rows: Sequence[TableRow]) -> list[str]:
    """All rows less the default maps, and this project's maps less each control made of these."""
    default = next((row for row in rows if row.align == DEFAULT_ALIGN), rows[0])
    products = [row for row in rows if row.source == CONTROL and row.align == DEFAULT_ALIGN]
    own = [row for row in rows if row.source == OWN and row.align == DEFAULT_ALIGN]
    return [
        differences_markdown(rows, default),
        *(differences_markdown(own, product) for product in products if own),
    ]


def differences_markdown(rows: Sequence[TableRow], reference: TableRow) -> str:
    """MAIN_COLUMNS of each row minus those of a reference, clip by clip.

    With means and 95 % intervals of the paired bootstrap. A difference whose interval does not
    contain 0 is not due to the choice of clips.
    """
    heads = [f"less {reference.name}", *(COLUMNS[name] for name in MAIN_COLUMNS)]
    lines = [" | ".join(heads), "|".join(["---"] * len(heads))]
    for row in rows:
        pairs = [(row.values[name], reference.values[name]) for name in MAIN_COLUMNS]
        cells = [_difference(paired_difference(*pair)) for pair in pairs]
        lines.append(" | ".join([row.name, *cells]))
    return "\n".join(f"| {line} |" for line in lines)


def _difference(interval: Interval) -> str:
    return f"{interval.mean:+.2f} ({interval.low:+.2f} to {interval.high:+.2f})"


def units_markdown(rows: Sequence[TableRow]) -> str:
    """Insertion and deletion by every unit and baseline."""
    names = list(rows[0].values)
    lines = [" | ".join(["maps", *names]), "|".join(["---"] * (1 + len(names)))]
    lines += [" | ".join([row.name, *(_cell(row, name) for name in names)]) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(row: TableRow, name: str) -> str:
    interval = bootstrap(row.values[name])
    if math.isnan(interval.mean):
        return "-"
    sign = "+" if name in SIGNED else ""
    text = f"{interval.mean:{sign}.2f} ± {(interval.high - interval.low) / 2:.2f}"
    mean_map = dict(zip(("average_drop", "average_increase"), MEAN_MAP, strict=True)).get(name)
    if mean_map is not None:
        text += f" ({bootstrap(row.values[mean_map]).mean:.2f})"
    return text


def draw_chart(path: Path, rows: Sequence[TableRow]) -> None:
    """Write a PNG: one panel for each of CHART_COLUMNS, a point with its interval for each row.

    Raises:
        OSError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 1.5 + 0.26 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    colours = {OWN: "tab:blue", CONTROL: "tab:gray"}
    panels = figure.subplots(1, len(CHART_COLUMNS))
    for column, (panel, name) in enumerate(zip(panels, CHART_COLUMNS, strict=True)):
        for y, row in enumerate(rows):
            mean, low, high = bootstrap(row.values[name])
            colour = colours.get(row.source, "tab:orange")
            panel.plot([low, high], [y, y], color=colour, linewidth=1.5)
            panel.plot(mean, y, "o", color=colour, markersize=4)
        panel.set_ylim(len(rows) - 0.5, -0.5)
        panel.set_title(COLUMNS[name], fontsize=10)
        panel.set_yticks(range(len(rows)), [row.name for row in rows] if column == 0 else [])
        panel.tick_params(labelsize=8)
        panel.grid(axis="x", alpha=0.3)
        panel.axvline(0, color="black", linewidth=0.6)
    with atomic_write(path) as file:
        figure.savefig(file, dpi=110, format="png")
