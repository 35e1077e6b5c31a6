"""Finds how class scores are read from a network's output, by shapes and by the graph of a pass."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from video_cam.errors import UsageError
from video_cam.layers.activation_inputs import ActivationInputs
from video_cam.layers.cache import Fact, learned
from video_cam.layers.layout import CONVOLUTIONS
from video_cam.layers.output_axes import HeadSizes, find_axes, is_one_cell
from video_cam.layers.output_entries import Path, best_named, entries, entry_at, listed, name_of
from video_cam.layers.output_operations import last_operation, without_refined, without_sources
from video_cam.layers.output_reading import (
    LOG_SOFTMAX,
    SCORES,
    SOFTMAX,
    OutputReading,
    adapt_output,
    parse_output_layout,
)
from video_cam.layers.output_values import sum_to_one
from video_cam.layers.outputs import ClassOutput, no_class_axis, raw_scores, scores_by_name
from video_cam.layers.shape_runs import ShapeRuns
from video_cam.layers.trace import ModuleOutput, trace
from video_cam.utils.nested import map_tensors, tensors_in


def with_class_scores(model: nn.Module, x: Any, layout: str | None = None) -> nn.Module:
    """The network with class scores as its output, for inputs like ``x``; see ``adapt_output``.

    Args:
        x: a batch, as the forward takes it.
        layout: as ``--output-layout`` takes it; None to find it.

    Raises:
        UsageError: where the class scores cannot be told from what else the output holds.
    """
    sample = map_tensors(lambda tensor: tensor[:1], x)
    try:
        trace(model, sample)
    except UsageError:  # the forward pass on the input itself gives a better message
        return model
    return adapt_output(model, find_reading(model, sample, layout=layout))


def find_reading(
    model: nn.Module,
    x: Any,
    classes: int | None = None,
    layout: str | None = None,
    test_values: bool = False,
) -> OutputReading | None:
    """How class scores are read from the outputs for inputs like ``x``.

    The network runs a few times on shapes. Found once per network, shapes and arguments.

    Args:
        x: one sample as the forward takes it; only shapes and dtypes are used.
        classes: the number of class names; None where none are given.
        layout: as ``--output-layout`` takes it; None to find it.
        test_values: run the network on noise to see whether scores are probabilities, where the
            graph does not say what made them.

    Returns:
        None where the output is scores already, as ``class_scores`` takes them.

    Raises:
        UsageError: where the network does not run on such an input, and where the scores cannot be
            told from what else the output holds.
    """
    key = [str([tuple(tensor.shape) for tensor in tensors_in(x)]), str(classes), str(layout)]
    find = partial(_find, model, x, classes, layout, test_values)
    return learned(_READING, model, [*key, test_values], find)


def _find(
    model: nn.Module, x: Any, classes: int | None, layout: str | None, test_values: bool
) -> OutputReading | None:
    traced = trace(model, x)
    if isinstance(traced.outputs, ClassOutput):
        return None
    runs = ShapeRuns(model, x)
    outputs = runs.outputs if runs.on_shapes else traced.outputs
    found = entries(outputs)
    if not found:
        raw_scores(outputs)  # whole numbers: says so
        raise no_class_axis(type(outputs).__name__)
    heads = _head_sizes(traced.modules)
    if layout is not None:
        entry, axes = parse_output_layout(layout)
        path = _named_entry(found, entry, classes, heads)
        _check_axes(found[path], axes, layout)
    else:
        path = _choose_entry(found, classes, heads)
        axes = find_axes(model, x, runs, path, found[path], classes, heads)
    class_axis = axes.index("K") if "K" in axes and found[path].ndim == len(axes) else None
    values = last_operation(found[path], class_axis)
    if values is None and test_values and sum_to_one(model, x, path, class_axis):
        values = SOFTMAX
    from_input = values not in (None, SCORES) and _input_is_known(runs, path)
    if values == LOG_SOFTMAX and not from_input:
        values = SCORES
    reading = OutputReading(path, axes, values or SCORES, from_input)
    # Of several, the reading says which one was taken.
    is_only = len(_of_fewest_axes(found)) == 1
    return None if is_only and _is_plain(outputs, found[path], reading) else reading


def _input_is_known(runs: ShapeRuns, path: Path) -> bool:
    """Whether the scores come straight from a softmax or sigmoid whose input a pass shows."""
    with ActivationInputs() as given:
        outputs = runs.again()
    return outputs is not None and entry_at(outputs, path) in given


def _choose_entry(found: Mapping[Path, Tensor], classes: int | None, heads: HeadSizes) -> Path:
    """The entry with the class scores.

    Raises:
        UsageError: where several entries could be it.
    """
    paths = _of_fewest_axes(found)
    fitting = [p for p in paths if classes in found[p].shape[1:]]
    if classes is not None and fitting:
        paths = fitting
    named = best_named(paths)
    if named is not None:
        return named
    if len({tuple(found[path].shape) for path in paths}) == 1:
        # Of the stages of a refinement the last; else the scores before those of auxiliary heads.
        return without_refined({path: found[path] for path in paths})[0]
    results = without_sources({path: found[path] for path in paths})
    if len(results) == 1:
        return results[0]
    of_head = [path for path in results if heads.last in found[path].shape[1:]]
    if len(of_head) == 1 and not any(heads.includes(found[p]) for p in results if p not in of_head):
        return of_head[0]
    raise UsageError(
        f"the network returns several outputs: {listed({p: found[p] for p in paths})}; say which "
        f"one holds the class scores with --output-layout {name_of(paths[0])}:NK (in Python "
        "output_layout=), or give --labels with as many names as it has classes"
    )


def _of_fewest_axes(found: Mapping[Path, Tensor]) -> list[Path]:
    """Entries that may be scores: those of clips or frames, without any those of places, or all."""
    groups = [
        [p for p, one in found.items() if 2 <= one.ndim <= 3 or is_one_cell(one)],
        [p for p, one in found.items() if one.ndim > 3],
        list(found),
    ]
    return next(group for group in groups if group)


def _named_entry(
    found: Mapping[Path, Tensor], name: str, classes: int | None, heads: HeadSizes
) -> Path:
    """The entry that the user named; "" for the one that is found."""
    if not name:
        return _choose_entry(found, classes, heads)
    for path in found:
        if name_of(path) == name:
            return path
    raise UsageError(f"the network returns no {name!r}: there is {listed(found)}")


def _check_axes(tensor: Tensor, axes: str, layout: str) -> None:
    if tensor.ndim != len(axes):
        raise UsageError(
            f"--output-layout {layout} has {len(axes)} axes, and the scores are "
            f"{tuple(tensor.shape)}: give a letter for each axis"
        )


def _head_sizes(modules: Mapping[str, ModuleOutput]) -> HeadSizes:
    """The numbers of outputs of the linear layers and convolutions, in the order of execution."""
    sizes = []
    for one in modules.values():
        if issubclass(one.kind, nn.Linear):
            sizes.append((one.shape[-1], one.shape))
        elif issubclass(one.kind, (nn.Conv1d, *CONVOLUTIONS)) and len(one.shape) > 1:
            sizes.append((one.shape[1], one.shape))
    return HeadSizes(tuple(sizes))


def _is_plain(outputs: Any, scores: Tensor, reading: OutputReading) -> bool:
    """Whether ``class_scores`` reads the same from the outputs."""
    if reading.values != SCORES or reading.axes not in ("N", "NK", "NTK"):
        return False
    if reading.axes == "NK" and scores.ndim == 1:  # class_scores takes it for (N,)
        return False
    return scores_by_name(outputs) is scores


_READING: Fact[OutputReading | None] = Fact(
    "output",
    uses_weights=False,
    to_json=lambda reading: None,  # kept in memory only
    from_json=lambda model, content: None,
)
