"""Scores of altered versions of an input, for all its targets at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from video_cam.attribution.cam_methods import at_least_float32
from video_cam.attribution.method_inputs import TargetPass
from video_cam.attribution.targets import target_scores
from video_cam.errors import UsageError
from video_cam.layers.axes import detached, input_size, run_network
from video_cam.layers.hooks import frozen_evaluation
from video_cam.layers.outputs import class_scores
from video_cam.perturbation.baselines import baseline_of
from video_cam.perturbation.samples import change_clips, join_samples, samples_of
from video_cam.perturbation.scoring import scores_of_altered
from video_cam.utils.devices import sent
from video_cam.utils.memory import BatchHalving
from video_cam.utils.progress import Step

# From a clip (C, T, H, W), and what it is filled with, to the altered clip.
Change = Callable[[Tensor, Tensor], Tensor]


class AlteredInputs:
    """Scores altered versions of the samples of one input.

    Only the network runs in the config's precision: clips, masks and maps are in their own.

    Attributes:
        num_samples: of the input.
        num_targets: how many are scored.
        size: (T, H, W) of the input.
    """

    def __init__(self, targets: Sequence[TargetPass]) -> None:
        """Bind the targets of an input.

        Args:
            targets: of one input; its config says how clips are filled, and how many of them are
                scored at a time.

        Raises:
            UsageError: for an input that cannot be filled.
        """
        first = targets[0]
        self._targets, self._model = targets, first.model
        self.num_samples, self.num_targets = len(first.scores), len(targets)
        self.size = input_size(first.x)
        self._device_type = first.scores.device.type
        fill = first.config.fill
        if fill == "before" and self.size[0] == 1:
            raise UsageError(
                "fill=before replaces a part by what it was a moment before, and this network's "
                "input has a single frame: set fill to blur or mean"
            )
        with self.own_precision():
            self._samples = [
                (sample, change_clips(partial(baseline_of, name=fill), sample))
                for sample in samples_of(detached(first.x), self.num_samples)
            ]
        self._halving = BatchHalving(first.config.batch_size)

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence on smaller batches, where memory ran out."""
        return (self._halving.note,) if self._halving.note else ()

    def own_precision(self) -> AbstractContextManager[None]:
        """A context in which operations keep their precision, whatever the caller has set."""
        return torch.autocast(self._device_type, enabled=False)

    def scores(self, samples: Sequence[int], changes: Sequence[Change], step: Step) -> list[Tensor]:
        """The scores of altered versions.

        Args:
            samples: which of the input's.
            changes: made to each of these.
            step: called with the number of altered versions of each batch that is done.

        Returns:
            For each target (samples, changes), at least float32, on the device of the network.
        """
        altered = (
            (self._samples[sample], partial(_changed, change))
            for sample in samples
            for change in changes
        )
        rows: list[Tensor] = []
        with frozen_evaluation(self._model), torch.inference_mode(), self.own_precision():
            rows.extend(
                scores_of_altered(self._columns, altered, self._halving, step, join_samples)
            )
            columns = torch.cat(rows).reshape(len(samples), len(changes), -1)
        return [self._of_target(number, columns, samples) for number in range(len(self._targets))]

    def _columns(self, x: Any) -> Tensor:
        """(N, columns): the classes' scores where any are wanted, then the functions'."""
        bf16 = self._targets[0].config.precision == "bf16"
        with torch.autocast(self._device_type, torch.bfloat16, enabled=bf16):
            outputs = run_network(self._model, x)
        columns = []
        if any(one.class_ids is not None for one in self._targets):
            columns.append(class_scores(outputs))
        functions = (one.target for one in self._targets if one.class_ids is None)
        columns += [target_scores(outputs, function)[0][:, None] for function in functions]
        return at_least_float32(torch.cat(columns, 1))

    def _of_target(self, number: int, columns: Tensor, samples: Sequence[int]) -> Tensor:
        """(samples, changes) of (samples, changes, columns)."""
        class_ids = self._targets[number].class_ids
        if class_ids is None:
            # Functions are behind the classes: this one and those after it, from the back.
            rest = [one for one in self._targets[number:] if one.class_ids is None]
            return columns[..., -len(rest)]
        chosen = class_ids[sent(torch.tensor(samples), class_ids.device)]
        wanted = chosen[:, None, None].expand(-1, columns.shape[1], 1)
        return columns.gather(2, wanted)[..., 0]


def _changed(change: Change, sample: tuple[Any, Any]) -> Any:
    x, fill = sample
    return change_clips(change, x, fill)
