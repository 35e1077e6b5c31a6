"""What is known of where a layer's cells sit: traced by arithmetic, measured where asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from video_cam.alignment import needs_measuring
from video_cam.grids import Unpacks, input_size
from video_cam.receptive_field import AxisChain, Chains, trace_chains
from video_cam.sensitivity import Reaches, measure

# Of layers and (T, H, W), what is kept elsewhere, else what the last argument measures.
Remember = Callable[
    [Sequence[str], tuple[int, int, int], Callable[[], dict[str, Reaches]]], dict[str, Reaches]
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
    layer and input size, unless the network's parameters are exchanged or changed. remember: is
    asked before anything is measured.
    """
    chains = trace_chains(model, x, layers)
    known = [layer for layer in layers if None not in chains[layer]]
    if not needs_measuring(align) or not isinstance(x, Tensor) or not known:
        return chains
    size = input_size(x)
    reaches = _measured(model, known, size, unpack, remember)
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


_KNOWN: WeakKeyDictionary[nn.Module, dict[Any, dict[str, Reaches]]] = WeakKeyDictionary()


def _measured(
    model: nn.Module,
    layers: Sequence[str],
    size: tuple[int, int, int],
    unpack: Unpacks,
    remember: Remember | None,
) -> dict[str, Reaches]:
    known = _KNOWN.setdefault(model, {})
    state = tuple((id(p), 0 if p.is_inference() else p._version) for p in model.parameters())
    key = (size, tuple(layers), state)
    if key not in known:
        run = partial(measure, model, layers, size, unpack)
        known[key] = run() if remember is None else remember(layers, size, run)
    return known[key]
