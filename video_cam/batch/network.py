"""The network of a run in this process: loaded on its device, then used for every clip."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from video_cam.batch.fingerprint import fingerprint_parts
from video_cam.batch.request_size import announcement, costs_of_tests, passes_announcement
from video_cam.batch.run_config import ModelConfig, RunConfig
from video_cam.batch.start_up import StartUp
from video_cam.choice_names import LAYER_METHOD_NAMES
from video_cam.config import ANY_OUTPUT, ExplainConfig, InputConfig
from video_cam.errors import UsageError
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.keyframe_gradients import GRADIENTS, keyframe_gradients
from video_cam.explanation.own_method import with_own_method
from video_cam.explanation.own_texts import with_own_texts
from video_cam.explanation.window_source import PreparedClip
from video_cam.layers.scores_only import ScoresOnly
from video_cam.layers.weights_digest import digest_of_weights
from video_cam.models.classifier import Classifier
from video_cam.models.onnx import has_cuda, is_onnx
from video_cam.models.registry import load_model
from video_cam.models.user_code import UserFunction
from video_cam.pipeline import check_options, explain_and_verify
from video_cam.rendering.gradient_pictures import write_gradient_pictures
from video_cam.rendering.source_clip import as_explained
from video_cam.truth.checking import check_classes
from video_cam.utils.progress import Progress
from video_cam.utils.reporter import Reporter
from video_cam.video.clip import Clip


class NetworkExplainer:
    """Explains clips with a network of this process; a ``ClipExplainer``.

    Attributes:
        model: the network.
    """

    def __init__(self, model: Classifier, start: StartUp | None = None) -> None:
        """Take a network; ``start`` logs how long it took up to its first window."""
        self.model = model
        self._start = start

    def explain(
        self,
        clip: Clip,
        config: ExplainConfig,
        progress: Progress,
        prepared: PreparedClip | None = None,
    ) -> Explanation:
        """The maps of a clip, with the checks that ``config`` asks for.

        Args:
            prepared: the clip's frames where another process has read them.
        """
        if self._start is not None:
            progress = self._start.watched(progress)
        return explain_and_verify(clip, self.model, config, progress, prepared)

    def write_gradients(
        self,
        clip: Clip,
        explanation: Explanation,
        config: ExplainConfig,
        folder: Path,
        progress: Progress,
    ) -> None:
        """Write the pictures of ``--guided`` and ``--smoothgrad`` to sub-folders of ``folder``."""
        kinds = [kind for kind in GRADIENTS if getattr(config, kind)]
        gradients = keyframe_gradients(
            as_explained(clip, explanation),
            self.model,
            explanation,
            kinds,
            config.targets,
            progress,
        )
        write_gradient_pictures(folder, explanation, gradients)

    def fingerprint_parts(self, config: ExplainConfig) -> dict[str, Any]:
        """Everything of the network and ``config`` that changes a result, for JSON."""
        return fingerprint_parts(self.model, self._weights_digest, config)

    @cached_property
    def _weights_digest(self) -> str:
        return digest_of_weights(self.model.module)


def load_explainer(config: RunConfig, reporter: Reporter) -> tuple[NetworkExplainer, RunConfig]:
    """The network of a run, and the run's settings as this network and device can follow them.

    Status messages say which network it is, and that the run asks for many videos.

    Raises:
        UsageError: where the network cannot be loaded, or an option does not fit it.
    """
    for target in config.explain.targets:
        if isinstance(target, UserFunction):
            target.load()  # a wrong reference is reported before the network loads
    start = StartUp()
    model = load_network(config.model, config.explain, reporter, start)
    model, explain, note = with_own_method(model, config.explain)
    model, explain, note_on_texts = with_own_texts(model, explain)
    for message in filter(None, (note, note_on_texts)):
        reporter.info(message)
    explain = supported_precision(explain, model, reporter)
    check_options(model, explain)
    if config.truth is not None:
        check_classes(config.truth, model.labels, reporter)
    for line in (
        passes_announcement(model, explain),
        announcement(model, explain, config.num_clips),
        *costs_of_tests(model, explain),
    ):
        if line is not None:
            reporter.info(line)
    start.end("network facts")
    return NetworkExplainer(model, start), replace(config, explain=explain)


def load_network(
    config: ModelConfig, explain: ExplainConfig, reporter: Reporter, start: StartUp | None = None
) -> Classifier:
    """The network on its device; a status message says which, and which layers are explained.

    Raises:
        UsageError: where the network cannot be loaded, or lacks the layers of ``explain``.
    """
    options = {one.name: getattr(config.input, one.name) for one in fields(InputConfig)}
    if explain.targets and not explain.class_ids and config.input.output_layout is None:
        options["output_layout"] = ANY_OUTPUT
    model = load_model(
        config.name,
        config.weights,
        labels=config.labels,
        device=choose_device(config, reporter),
        say=reporter.info,
        trust_checkpoint=config.trust_checkpoint,
        allow_partial=config.allow_partial,
        **config.text_options,
        **options,
    )
    if start is not None:
        start.end("weights")
    layers = _chosen_layers(model, explain)
    scores = "" if model.reading is None else f", class scores from {model.reading}"
    reporter.info(f"model {model.name} ({model.weights}) on {model.place}{layers}{scores}")
    return model


def choose_device(config: ModelConfig, reporter: Reporter) -> str:
    """The device that is asked for; the CPU, with a warning, where ``use_cuda`` finds no CUDA.

    Raises:
        UsageError: where PyTorch cannot use ``config.device``.
    """
    if not config.device and not config.use_cuda:
        return "cpu"
    if config.name is not None and is_onnx(config.name):
        if config.device or has_cuda(config.name):
            return config.device or "cuda"
        reporter.warning(
            "this ONNX Runtime has no CUDA (pip install onnxruntime-gpu in place of onnxruntime "
            "brings it); running on the CPU"
        )
        return "cpu"
    if not config.device and not torch.cuda.is_available():
        reporter.warning("there is no CUDA device; running on the CPU")
        return "cpu"
    wanted = config.device or "cuda"
    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"device {wanted!r} cannot be used; there are {', '.join(_devices())}"
        ) from error
    return wanted


def supported_precision(
    config: ExplainConfig, model: Classifier, reporter: Reporter
) -> ExplainConfig:
    """The options, with fp32 and a warning where a CPU could only emulate bf16.

    Emulation takes about a hundred times as long as fp32. What PyTorch does not run keeps its own
    precision.
    """
    if config.precision != "fp32" and isinstance(model.module, ScoresOnly):
        reporter.warning(f"{model.module.kind} keeps its own precision: bf16 is left out")
        return replace(config, precision="fp32")
    if config.precision == "fp32" or model.device.type != "cpu" or cpu_computes_bf16():
        return config
    reporter.warning("this processor does not compute in bf16; running in fp32")
    return replace(config, precision="fp32")


def cpu_computes_bf16() -> bool:
    """Whether PyTorch has bf16 kernels for this processor."""
    return torch.backends.mkldnn.is_available() and bool(
        torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


def _devices() -> list[str]:
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return ["cpu", *gpus, *(["mps"] if torch.backends.mps.is_available() else [])]


def _chosen_layers(model: Classifier, config: ExplainConfig) -> str:
    """Which layers were chosen and their grids, for the message; empty where the user named them.

    Their grids tell how the shapes of their outputs were understood.
    """
    if isinstance(model.module, ScoresOnly):
        return ""
    named = config.layers is not None or config.conv_backcount
    own = None if named or not config.own_methods else model.method
    methods = config.methods if own is None else (own,)
    if not {*methods} & {*LAYER_METHOD_NAMES} or not (named or model.layer):
        return ""
    size = (config.num_frames or model.num_frames, *model.preprocess.crop)
    chosen = model.layers(size, config.layers, config.conv_backcount)
    if chosen.names == tuple(map(str, config.layers or ())):
        return ""
    shown = ", ".join(f"{name} ({chosen.folds[name]})" for name in chosen.names)
    return f", {'layer' if len(chosen.names) == 1 else 'layers'} {shown}"
