"""A callback of Lightning that explains clips while a network is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.random import fork_rng

from video_cam.explanation.explainer import explain
from video_cam.explanation.explanation import Explanation
from video_cam.export.logged_results import plain_name, unique
from video_cam.export.mlflow_run import log_to_mlflow
from video_cam.export.wandb_run import log_to_wandb
from video_cam.models.registry import load_model
from video_cam.rendering.explained_targets import labels_of_targets
from video_cam.rendering.tensorboard import to_tensorboard
from video_cam.utils.extras import import_extra
from video_cam.utils.files import StrPath
from video_cam.utils.names import as_tuple, check_positive

_WANDB_AXIS = "trainer/global_step"  # to which WandbLogger refers all values
_Callback: Any = import_extra("lightning.pytorch.callbacks", "lightning").Callback


class ExplainCallback(_Callback):
    """Explains clips with the network as it is, at the end of validation, and logs the results.

    TensorBoard gets scores, a strip of frames with maps and, with ``video``, a video; Weights &
    Biases and MLflow get what ``log_to_wandb`` and ``log_to_mlflow`` log; every other logger, such
    as CSVLogger, gets the scores. Only the first process logs. The network's mode, gradients and
    buffers and PyTorch's random generators are as before afterwards.
    """

    def __init__(
        self,
        clips: StrPath | Sequence[StrPath],
        *,
        every_n_epochs: int = 1,
        network: Callable[[Any], nn.Module] | None = None,
        input_options: dict[str, Any] | None = None,
        labels: Sequence[str] | None = None,
        tag: str = "video_cam",
        video: bool = False,
        **options: Any,
    ) -> None:
        """Keep what will be explained.

        Args:
            clips: one path or several.
            every_n_epochs: at the end of every so many epochs; not in the sanity check.
            network: from the LightningModule to the network that is explained; None for the
                module itself, whose forward takes the clip.
            input_options: of ``load_model``, as num_frames, size, mean, std, layout.
            labels: class names.
            tag: the first part of all names in the logs.
            video: also log a video to TensorBoard, for which PyTorch needs moviepy.
            options: of ``explain``, as layers, methods, class_ids.

        Raises:
            UsageError: for ``every_n_epochs`` below 1.
        """
        self.clips = tuple(map(str, as_tuple(clips)))
        self.every_n_epochs = every_n_epochs
        check_positive(self, ("every_n_epochs",))
        self._network = network
        self._input_options = dict(input_options or {})
        self._labels, self._tag, self._video, self._options = labels, tag, video, options

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Explain, unless this is the sanity check."""
        if not trainer.sanity_checking:
            self._run(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Explain where there is no validation."""
        if not trainer.enable_validation:
            self._run(trainer, pl_module)

    def explain(self, pl_module: Any) -> Iterator[Explanation]:
        """The explanations of the clips; the module is as before after each."""
        network = pl_module if self._network is None else self._network(pl_module)
        gpus = {p.device.index for p in network.parameters() if p.device.type == "cuda"}
        for clip in self.clips:
            # Lightning validates in inference mode, in which there are no gradients.
            with fork_rng(sorted(gpus)), torch.inference_mode(False), torch.enable_grad():
                model = load_model(network, labels=self._labels, **self._input_options)
                explanation = explain(clip, model, **self._options)
            yield explanation

    def _run(self, trainer: Any, pl_module: Any) -> None:
        if (trainer.current_epoch + 1) % self.every_n_epochs or not trainer.is_global_zero:
            return
        for explanation in self.explain(pl_module):
            for logger in trainer.loggers:
                self._log(logger, explanation, trainer.global_step)

    def _log(self, logger: Any, explanation: Explanation, step: int) -> None:
        kind = type(logger).__name__
        if kind == "TensorBoardLogger":
            to_tensorboard(logger.experiment, explanation, step, tag=self._tag, video=self._video)
        elif kind == "WandbLogger":
            more = {_WANDB_AXIS: step}
            log_to_wandb(logger.experiment, explanation, tag=self._tag, more=more)
        elif kind == "MLFlowLogger":
            log_to_mlflow(logger.run_id, explanation, step, tag=self._tag, client=logger.experiment)
        else:
            logger.log_metrics(self._scores(explanation), step)

    def _scores(self, explanation: Explanation) -> dict[str, float]:
        targets = labels_of_targets(explanation)
        labels = unique(map(plain_name, targets.values()))
        name = f"{self._tag}/{plain_name(Path(explanation.clip.path).stem)}/score"
        scores = map(explanation.score, targets)
        return {f"{name}/{label}": score for label, score in zip(labels, scores, strict=True)}
