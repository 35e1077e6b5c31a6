"""The receptive fields of a layer's cells: by arithmetic, and with measured centres if wanted."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import msgspec
import torch
from torch import Tensor, nn

from video_cam.layers.alignment import needs_measuring
from video_cam.layers.axes import Unpack, Unpacks, for_layer, input_size
from video_cam.layers.cache import Fact, learned
from video_cam.layers.disturbance import CellAnswers, add_answers
from video_cam.layers.layout import Fold
from video_cam.layers.measured_alignment import MeasuredFields, measure
from video_cam.layers.receptive_field import (
    UNKNOWN,
    AxisReceptiveField,
    AxisStep,
    ReceptiveFields,
    trace_receptive_fields,
)
from video_cam.utils.nested import map_tensors
from video_cam.utils.strict_json import checked

MAX_SAMPLES = 2**20  # of a kernel, stride or padding along one axis

_Size = Annotated[int, msgspec.Meta(ge=1, le=MAX_SAMPLES)]
_Padding = Annotated[int, msgspec.Meta(ge=-MAX_SAMPLES, le=MAX_SAMPLES)]
# As in JSON: the fields of an AxisStep, and a field's steps and measured centres.
_Step = tuple[_Size, _Size, _Padding, _Size, _Padding | None]
_Axis = tuple[tuple[_Step, ...], tuple[float, ...]]


def find_receptive_fields(
    model: nn.Module,
    x: Any,
    layers: Sequence[str],
    unpack: Unpacks,
    align: str,
    identity: str = "",
) -> dict[str, ReceptiveFields]:
    """The receptive fields of each layer, with measured centres where ``align`` needs them.

    The result is cached by network, layers and input size. Tokens without a known field are not
    measured: they are patches, for which half-pixel alignment is right, wherever else the network
    looks. Inputs that are not one tensor are disturbed themselves (see ``disturbance``).

    Args:
        x: the network's input (N, C, T, H, W) or (N, C, H, W), of which the values are not used; or
            tensors in a container.
        layers: module names.
        unpack: brings a layer's output to (N, K, T', H', W').
        align: of ``choice_names.ALIGNMENT_NAMES``.
        identity: of the network, for the cache on disk (see ``cache.learned``).

    Returns:
        Layer -> fields along (T, H, W).
    """
    if not isinstance(x, Tensor):
        if not needs_measuring(align):
            return dict.fromkeys(layers, UNKNOWN)
        return _of_container(model, x, layers, unpack)
    fact = Fact(
        "receptive-fields",
        uses_weights=True,
        to_json=_to_json,
        from_json=partial(_from_json, layers, max(x.shape[1:])),
    )
    key: tuple[Hashable, ...] = (*layers, *x.shape[1:])
    if not needs_measuring(align):
        return learned(fact, model, key, partial(_find, model, x, layers, None), identity)
    key += tuple(_text_of(for_layer(unpack, layer)) for layer in layers)
    return learned(fact, model, key, partial(_find, model, x, layers, unpack), identity)


def _text_of(unpack: Unpack) -> str:
    """Text that differs between functions with different code, for the cache's key."""
    code = getattr(unpack, "__code__", None)
    return repr(unpack) if code is None else f"{code.co_name} {hash(code)}"


def _find(
    model: nn.Module, x: Tensor, layers: Sequence[str], unpack: Unpacks | None
) -> dict[str, ReceptiveFields]:
    """The fields by arithmetic, with measured centres unless ``unpack`` is None."""
    fields = trace_receptive_fields(model, x, layers)
    known = [
        layer
        for layer in layers
        if None not in fields[layer] or (unpack is not None and _has_cells(unpack, layer))
    ]
    # Measuring runs the network on clips (1, 3, T, H, W); other inputs are left to arithmetic.
    is_clip = x.ndim == 5 and x.shape[1] == 3
    if unpack is None or not known or not is_clip or next(model.parameters(), None) is None:
        return fields
    measured = measure(model, known, input_size(x), unpack)
    return {
        layer: _with_centres(fields[layer], measured[layer]) if layer in measured else fields[layer]
        for layer in layers
    }


def _has_cells(unpack: Unpacks, layer: str) -> bool:
    """Whether a layer's output is known to be a grid of a convolution's cells, not of tokens."""
    fold = for_layer(unpack, layer)
    return isinstance(fold, Fold) and fold.axes != "tokens"


def _of_container(
    model: nn.Module, x: Any, layers: Sequence[str], unpack: Unpacks
) -> dict[str, ReceptiveFields]:
    """Measured centres of layers, for an input in a container."""
    sample = map_tensors(lambda tensor: tensor[:1], x)
    size = input_size(sample)
    folds = {layer: for_layer(unpack, layer) for layer in layers if _has_cells(unpack, layer)}
    answers = {name: CellAnswers([fold]) for name, fold in folds.items() if isinstance(fold, Fold)}
    generator = torch.Generator().manual_seed(0)
    if answers:
        add_answers(model, sample, range(3), answers, generator)
    found: dict[str, ReceptiveFields] = dict.fromkeys(layers, UNKNOWN)
    for layer, answer in answers.items():
        t, y, x_ = (
            None if centres is None else AxisReceptiveField((), tuple(centres.tolist()))
            for centres in (answer.centres(answer.folds[0], axis, size[axis]) for axis in range(3))
        )
        found[layer] = (t, y, x_)
    return found


def _with_centres(fields: ReceptiveFields, measured: MeasuredFields) -> ReceptiveFields:
    t, y, x = (
        replace(field or AxisReceptiveField(()), measured=tuple(found.centres.tolist()))
        for field, found in zip(fields, measured, strict=True)
    )
    return t, y, x


def _to_json(found: Mapping[str, ReceptiveFields]) -> Any:
    return {layer: [_axis_to_json(field) for field in fields] for layer, fields in found.items()}


def _axis_to_json(field: AxisReceptiveField | None) -> Any:
    if field is None:
        return None
    steps = [[s.kernel, s.stride, s.padding, s.dilation, s.padding_after] for s in field.steps]
    return [steps, field.measured]


def _from_json(
    layers: Sequence[str], side: int, _model: nn.Module, content: Any
) -> dict[str, ReceptiveFields]:
    """The inverse of ``_to_json``, for an input of at most ``side`` samples along an axis.

    Raises:
        ValueError: for content that is not of these layers, or impossible.
    """
    fields = checked(content, dict[str, tuple[_Axis | None, _Axis | None, _Axis | None]])
    if list(fields) != list(dict.fromkeys(layers)):
        raise ValueError("it is of other layers")
    found = {}
    for layer, axes in fields.items():
        t, y, x = (None if axis is None else _axis_from_json(axis, side) for axis in axes)
        found[layer] = (t, y, x)
    return found


def _axis_from_json(axis: _Axis, side: int) -> AxisReceptiveField:
    steps, measured = axis
    # Measured centres are within the input, but for padding and the error of the measurement.
    if len(measured) > 4 * side or any(abs(centre) > 4 * side for centre in measured):
        raise ValueError("a cell lies far outside the input")
    return AxisReceptiveField(tuple(AxisStep(*step) for step in steps), measured)
