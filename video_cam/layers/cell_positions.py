"""What is known of where a layer's cells sit: traced by arithmetic, measured where asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from video_cam.layers.alignment import needs_measuring
from video_cam.layers.axes import Unpacks, input_size
from video_cam.layers.measured_alignment import Reaches, measure
from video_cam.layers.receptive_field import UNKNOWN, AxisChain, Chains, trace_chains

# Of layers, (T, H, W) and whether to measure: what is kept elsewhere, else what the last argument
# finds.
Remember = Callable[
    [Sequence[str], Sequence[int], bool, Callable[[], dict[str, Chains]]], dict[str, Chains]
]


def find_chains(
    model: nn.Module,
    x: Any,
    layers: Sequence[str],
    unpack: Unpacks,
    align: str,
    remember: Remember | None = None,
) -> dict[str, Chains]:
    """The chains of each layer, with measured centres where ``align`` wants them.

    Only chains that are known are measured: elsewhere cells are mostly those of patches, which
    sit where half-pixel puts them whatever the network sees around them. Kept for each network,
    layer and input size, unless the network's modules or parameters are exchanged or changed.
    remember: is asked before anything is followed or measured.
    """
    if not isinstance(x, Tensor):
        return dict.fromkeys(layers, UNKNOWN)
    measured = needs_measuring(align)
    known = _KNOWN.setdefault(model, {})
    key = (tuple(x.shape[1:]), tuple(layers), measured, _state(model))
    if key not in known:
        find = partial(_find, model, x, layers, unpack if measured else None)
        known[key] = find() if remember is None else remember(layers, x.shape[2:], measured, find)
    return known[key]


_KNOWN: WeakKeyDictionary[nn.Module, dict[Any, dict[str, Chains]]] = WeakKeyDictionary()


def _state(model: nn.Module) -> Any:
    versions = [(id(p), 0 if p.is_inference() else p._version) for p in model.parameters()]
    return (*map(id, model.modules()), *versions)


def _find(
    model: nn.Module, x: Tensor, layers: Sequence[str], unpack: Unpacks | None
) -> dict[str, Chains]:
    """unpack: None where nothing is to be measured."""
    chains = trace_chains(model, x, layers)
    known = [layer for layer in layers if None not in chains[layer]]
    # The probe's drawn clips are (1, 3, T, H, W); other inputs keep what arithmetic says.
    is_clip = x.ndim == 5 and x.shape[1] == 3
    if unpack is None or not known or not is_clip or next(model.parameters(), None) is None:
        return chains
    reaches = measure(model, known, input_size(x), unpack)
    return {
        layer: _with_centres(chains[layer], reaches[layer]) if layer in reaches else chains[layer]
        for layer in layers
    }


def _with_centres(chains: Chains, reaches: Reaches) -> Chains:
    t, y, x = (
        replace(chain or AxisChain(()), measured=tuple(reach.centres.tolist()))
        for chain, reach in zip(chains, reaches, strict=True)
    )
    return t, y, x
