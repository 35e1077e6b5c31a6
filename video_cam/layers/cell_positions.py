"""The receptive fields of a layer's cells: by arithmetic, and with measured centres where asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor, nn

from video_cam.layers.alignment import needs_measuring
from video_cam.layers.axes import Unpacks, input_size
from video_cam.layers.cache import Fact, learned
from video_cam.layers.measured_alignment import MeasuredFields, measure
from video_cam.layers.receptive_field import (
    UNKNOWN,
    AxisReceptiveField,
    ReceptiveFields,
    Step,
    trace_receptive_fields,
)


def find_receptive_fields(
    model: nn.Module,
    x: Any,
    layers: Sequence[str],
    unpack: Unpacks,
    align: str,
    identity: str = "",
) -> dict[str, ReceptiveFields]:
    """The receptive fields of each layer, with measured centres where ``align`` wants them.

    Only fields that arithmetic knows are measured: other cells are mostly those of patches, which
    lie where half-pixel alignment puts them whatever the network sees around them.

    Args:
        x: the network's input (N, C, T, H, W) or (N, C, H, W); its values are not used.
        unpack: brings a layer's output to (N, K, T', H', W').
        align: of ``config.ALIGNMENT_NAMES``.
        identity: of the network, for what is kept on disk (see ``cache.learned``).

    Returns:
        Layer -> fields along (T, H, W); UNKNOWN for inputs that are not one tensor.
    """
    if not isinstance(x, Tensor):
        return dict.fromkeys(layers, UNKNOWN)
    measured = needs_measuring(align)
    find = partial(_find, model, x, layers, unpack if measured else None)
    key = (*layers, *x.shape[1:], measured)
    return learned(_FIELDS, model, key, find, identity)


def _find(
    model: nn.Module, x: Tensor, layers: Sequence[str], unpack: Unpacks | None
) -> dict[str, ReceptiveFields]:
    """unpack: None where nothing is to be measured."""
    fields = trace_receptive_fields(model, x, layers)
    known = [layer for layer in layers if None not in fields[layer]]
    # Measuring draws clips of (1, 3, T, H, W); for other inputs arithmetic has to do.
    is_clip = x.ndim == 5 and x.shape[1] == 3
    if unpack is None or not known or not is_clip or next(model.parameters(), None) is None:
        return fields
    measured = measure(model, known, input_size(x), unpack)
    return {
        layer: _with_centres(fields[layer], measured[layer]) if layer in measured else fields[layer]
        for layer in layers
    }


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
    steps = [[s.kernel, s.stride, s.padding, s.dilation, s.behind] for s in field.steps]
    return [steps, field.measured]


def _from_json(_model: nn.Module, content: Any) -> dict[str, ReceptiveFields]:
    found = {}
    for layer, fields in content.items():
        t, y, x = map(_axis_from_json, fields)
        found[layer] = (t, y, x)
    return found


def _axis_from_json(content: Any) -> AxisReceptiveField | None:
    if content is None:
        return None
    steps, measured = content
    return AxisReceptiveField(tuple(Step(*step) for step in steps), tuple(map(float, measured)))


_FIELDS = Fact("receptive-fields", uses_weights=True, to_json=_to_json, from_json=_from_json)
