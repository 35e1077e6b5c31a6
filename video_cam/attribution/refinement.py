"""Brings the maps of one network to finer grids, with what ``detail`` names as finer evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from video_cam.attribution.cam_methods import POOLING, at_least_float32
from video_cam.attribution.detail import Evidence, geometric_mean, layer_evidence, times_share
from video_cam.attribution.method_inputs import Compute, TargetPass
from video_cam.attribution.path_gradients import attribution_cells
from video_cam.errors import UsageError
from video_cam.layers.alignment import CellCentres, finest, onto_centres
from video_cam.layers.axes import Unpacks, input_size, unpacked

# Of ``method_inputs``, by the names in ``choice_names.DETAIL_NAMES``.
NEEDS: dict[str, tuple[str, ...]] = {
    "none": (),
    "layers": ("gradient",),
    "input": ("gradient", "input_attribution"),
}

FinerLayers = Mapping[str, Sequence[str]]  # layer -> finer ones, the coarsest first
# (layer, its grid (T', H', W'), (T, H, W) of the input) -> the centres of its cells
FindCentres = Callable[[str, Sequence[int], Sequence[int]], CellCentres]
Refine = Callable[[Tensor], Tensor]  # a map (N, T', H', W') of a layer -> a finer one


def refined_centres(
    detail: str, own: CellCentres, finer: Sequence[CellCentres], size: Sequence[int]
) -> CellCentres:
    """The centres of the cells of a refined map.

    Args:
        detail: of ``choice_names.DETAIL_NAMES``.
        own: of the map's layer.
        finer: of its finer layers.
        size: (T, H, W) of the input.
    """
    if detail == "input":
        cells = attribution_cells(size)
        return CellCentres(cells.t, cells.y, cells.x, own.nearest)
    return finest([own, *finer]) if detail == "layers" else own


class Refinements:
    """Refines the maps of one target after another, for each of several details.

    What several details need of a target is computed once.

    Attributes:
        also: names of the layers to capture besides the mapped ones.
    """

    def __init__(
        self,
        details: Sequence[str],
        pooling: str,
        finer: FinerLayers,
        unpack: Unpacks,
        centres: FindCentres,
    ) -> None:
        """Bind a network's layers.

        Args:
            details: of ``choice_names.DETAIL_NAMES``.
            pooling: of ``choice_names.POOLING_NAMES``.
            finer: of each layer; a layer without any is refined by the input alone, or not.
            unpack: brings a layer's output to (N, K, T', H', W').
            centres: of a layer's cells.
        """
        self._of_details = {
            detail: Refinement(detail, pooling, finer, unpack, centres) for detail in details
        }
        names = [name for one in self._of_details.values() for name in one.also]
        self.also = tuple(dict.fromkeys(names))

    def prepare(self, one: TargetPass, table: Mapping[str, Compute]) -> list[str | None]:
        """Compute what of the table is needed; for each detail why it is impossible, or None."""
        return [refinement.prepare(one, table) for refinement in self._of_details.values()]

    def of_layer(
        self, one: TargetPass, layer: str, grid: Sequence[int]
    ) -> dict[str, tuple[CellCentres, Refine]]:
        """For each detail what ``Refinement.of_layer`` returns."""
        return {
            detail: refinement.of_layer(one, layer, grid)
            for detail, refinement in self._of_details.items()
        }


class Refinement:
    """Refines the maps of one target after another, for one detail.

    Attributes:
        also: names of the layers to capture besides the mapped ones.
    """

    def __init__(
        self,
        detail: str,
        pooling: str,
        finer: FinerLayers,
        unpack: Unpacks,
        centres: FindCentres,
    ) -> None:
        """Bind a network's layers.

        Args:
            detail: of ``choice_names.DETAIL_NAMES``.
            pooling: of ``choice_names.POOLING_NAMES``.
            finer: of each layer; a layer without any is refined by the input alone, or not.
            unpack: brings a layer's output to (N, K, T', H', W').
            centres: of a layer's cells.
        """
        self._detail, self._axes = detail, POOLING[pooling]
        self._finer = dict(finer) if detail != "none" else {}
        self._unpack, self._centres = unpack, centres
        self.also = tuple(dict.fromkeys(name for names in self._finer.values() for name in names))
        self._needs = tuple(name for name in NEEDS[detail] if self.also or name != "gradient")

    def prepare(self, one: TargetPass, table: Mapping[str, Compute]) -> str | None:
        """Compute what of the table is needed; the reason where that is not possible."""
        try:
            one.compute(table, self._needs)
        except UsageError as error:
            return f"no finer detail than the layer's: {error}"
        return None

    def of_layer(
        self, one: TargetPass, layer: str, grid: Sequence[int]
    ) -> tuple[CellCentres, Refine]:
        """The centres of a layer's refined maps, and what refines a map (N, T', H', W') of it.

        Where the evidence could not be computed, maps are only interpolated to these centres.

        Args:
            one: a target, prepared.
            layer: of the map.
            grid: (T', H', W') of the layer.
        """
        size = input_size(one.x)
        own = self._centres(layer, grid, size)
        finer = {
            name: self._centres(name, self._grid(one, name), size)
            for name in self._finer.get(layer, ())
            if name in one.captured.activations
        }
        centres = refined_centres(self._detail, own, list(finer.values()), size)
        evidence = [
            self._evidence(one, name, place).onto(centres)
            for name, place in finer.items()
            if name in one.need("gradient")
        ]
        # Another detail of the same pass may have asked for it.
        is_to_input = self._detail == "input"
        attribution = one.need("input_attribution").get(layer) if is_to_input else None

        def refine(values: Tensor) -> Tensor:
            values = onto_centres(values, own, centres)
            if evidence:
                values = geometric_mean(values, evidence)
            return values if attribution is None else times_share(values, attribution.to(values))

        return centres, refine

    def _evidence(self, one: TargetPass, name: str, centres: CellCentres) -> Evidence:
        A = unpacked(self._unpack, one.captured.activations[name].detach(), name)
        G = one.need("gradient")[name]
        return layer_evidence(at_least_float32(A), at_least_float32(G), self._axes, centres)

    def _grid(self, one: TargetPass, name: str) -> Sequence[int]:
        return unpacked(self._unpack, one.captured.activations[name].detach(), name).shape[2:]
