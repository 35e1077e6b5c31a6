"""What the form says, as the settings of a run; the command's own checks are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from video_cam.app.networks import model_config
from video_cam.batch.run_config import RunConfig
from video_cam.config import ExplainConfig, make_explain_config
from video_cam.errors import UsageError

# Fields of ExplainConfig and of RenderConfig that the form shows. An empty list or number means the
# default of the command.
EXPLAIN_FIELDS = (
    *("methods", "layers", "class_ids", "top_k", "detail", "align", "pooling", "sampling"),
    *("start", "end", "motion_test", "frame_test"),
)
RENDER_FIELDS = ("layout", "colormap")


def run_config_of(network: str, texts: str, form: Mapping[str, Any], base: RunConfig) -> RunConfig:
    """The settings of one run.

    Args:
        network: name of the network.
        texts: what the clip is compared with, one text on each line.
        form: a value for each of EXPLAIN_FIELDS and RENDER_FIELDS.
        base: what the app was started with, which holds for all that the form does not show.

    Raises:
        UsageError: for values that are unknown, out of range or do not fit together.
    """
    explain = {one.name: getattr(base.explain, one.name) for one in fields(ExplainConfig)}
    explain |= {name: _value(form[name]) for name in EXPLAIN_FIELDS}
    explain |= {name: _seconds(name, explain[name]) for name in ("start", "end")}
    explain["class_ids"] = explain["class_ids"] or ()
    explain["top_k"] = explain["top_k"] or None
    explain["detail"] = explain["detail"] or ExplainConfig.detail
    explain["own_methods"] = explain["methods"] is None
    if network != base.model.name:
        # Names of layers and functions of the output are those of the network they were given for.
        explain |= {"conv_backcount": (), "targets": ()}
    render = {name: form[name] for name in RENDER_FIELDS}
    return replace(
        base,
        model=model_config(network, base.model, lines_of(texts)),
        explain=make_explain_config(explain),
        render=replace(base.render, **render),
    )


def lines_of(text: str) -> tuple[str, ...]:
    """The lines that hold something."""
    return tuple(filter(str.strip, text.splitlines()))


def first_values(base: RunConfig) -> dict[str, Any]:
    """The values that the form shows when the page opens, by field."""
    values = {name: getattr(base.explain, name) for name in EXPLAIN_FIELDS}
    values |= {name: getattr(base.render, name) for name in RENDER_FIELDS}
    # Methods that nobody asked for are not shown: the network decides.
    methods = () if base.explain.own_methods else base.explain.methods
    values |= {"methods": methods, "layers": tuple(map(str, base.explain.layers or ()))}
    values |= {"top_k": base.explain.top_k or 0}
    return {
        name: list(map(str, value)) if isinstance(value, tuple) else value
        for name, value in values.items()
    }


def _seconds(name: str, text: str | None) -> float | None:
    """A number that was typed; None where nothing was."""
    try:
        return None if text is None else float(text)
    except ValueError as error:
        raise UsageError(f"{name} {text!r} must be a number of seconds, as 2.5") from error


def _value(value: Any) -> Any:
    if isinstance(value, str):
        value = value.strip()
    return None if value in ([], "") else value
