"""Which maps of layers a clip gets: layer, method and detail of each, and where its cells are."""

from __future__ import annotations

from collections.abc import Sequence

from video_cam.attribution.attribution_result import MapKey
from video_cam.attribution.refinement import refined_centres
from video_cam.choice_names import INPUT_METHOD_NAMES
from video_cam.config import ExplainConfig
from video_cam.explanation.network_plan import NetworkPlan
from video_cam.layers.alignment import CellCentres
from video_cam.layers.finer_layers import no_finer_layer


def layer_map_keys(network: NetworkPlan, config: ExplainConfig) -> tuple[MapKey, ...]:
    """Layer, method and detail of the maps of layers.

    Without finer layers, "layers" and "none" give the same maps; the first of them is taken. Where
    layers are fused, this holds only if none of them has finer ones.
    """
    details: dict[str, list[str]] = {}
    for layer in network.layers:
        fused = network.layers if config.fuse else (layer,)
        plain = [
            detail
            for detail in config.attribution().detail
            if not any(makes_finer(network, one, detail) for one in fused)
        ]
        details[layer] = [one for one in config.attribution().detail if one not in plain[1:]]
    return tuple(
        (layer, method, detail)
        for layer in network.layers
        for method in config.layer_methods
        for detail in details[layer]
    )


def makes_finer(network: NetworkPlan, layer: str, detail: str) -> bool:
    """Whether a detail gives a layer's maps other cells than the layer's own."""
    return detail == "input" or (detail == "layers" and bool(network.finer.get(layer)))


def map_centres(network: NetworkPlan, key: MapKey, size: Sequence[int]) -> CellCentres:
    """The positions of the cells of a layer's maps, which detail makes finer than its own."""
    layer, _, detail = key
    finer = [network.centres[name] for name in network.finer.get(layer, ())]
    return refined_centres(detail, network.centres[layer], finer, size)


def detail_note(network: NetworkPlan, config: ExplainConfig) -> str:
    """Which maps have no more detail than their layer, though the config asks for it."""
    if config.contrast and config.makes_finer and network.layers:
        return (
            "contrast subtracts maps of two classes, which needs maps as fine as their layer: "
            "detail is none"
        )
    notes = []
    coarse = [name for name in config.methods if name in INPUT_METHOD_NAMES]
    if "input" in config.detail and coarse:
        notes.append(_only_of_layers(coarse))
    if "layers" in config.detail:
        notes += [no_finer_layer(one) for one in network.layers if not network.finer[one]]
    return "; ".join(notes)


def _only_of_layers(methods: Sequence[str]) -> str:
    return f"detail input is for maps of layers: those of {', '.join(methods)} are without it"
