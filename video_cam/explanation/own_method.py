"""The method of a network where none is named, and what one that gives scores alone cannot do."""

from __future__ import annotations

from dataclasses import replace

from video_cam.choice_names import SCORE_METHOD_NAMES
from video_cam.config import ExplainConfig
from video_cam.errors import UsageError
from video_cam.layers.differentiable import quantised_layer, without_gradient
from video_cam.layers.reachability import has_gradient
from video_cam.layers.scores_only import ScoresOnly, refuse_methods
from video_cam.models.classifier import Classifier
from video_cam.utils.notes import Note

_GRADIENTS = "computes gradients"
# What of a config needs more than scores, and what for.
_NEEDS = {
    "layers": "names layers",
    "conv_backcount": "counts layers",
    "fuse": "combines layers",
    "sanity": "randomises layers",
    "guided": _GRADIENTS,
    "smoothgrad": _GRADIENTS,
}


def with_own_method(
    model: Classifier, config: ExplainConfig
) -> tuple[Classifier, ExplainConfig, str]:
    """A config with the network's own method, or one that works, where none was asked for.

    Returns:
        The network, with a note for its results where its scores have no gradient; the config; and
        what is to be said of it, empty where nothing was changed.
    """
    named = config.layers is not None or config.conv_backcount
    if not config.own_methods or named:
        return model, config, ""
    reason = _why_no_gradient(model, config)
    if not reason and model.method is not None:
        methods = (model.method,)
        config = replace(config, methods=methods, own_methods=False)
        return model, config, f"method {model.method}, which suits this network"
    if not reason:
        return model, config, ""
    method = SCORE_METHOD_NAMES[0]
    note = f"{reason}, and no method was named: {method} is taken"
    check_scores_only(model, replace(config, methods=(method,)))
    model = replace(model, notes=(*model.notes, Note(note)))
    return model, replace(config, methods=(method,), own_methods=False), note


def check_scores_only(model: Classifier, config: ExplainConfig) -> None:
    """Raise UsageError for what a network that gives scores alone cannot do."""
    module = model.module
    if not isinstance(module, ScoresOnly):
        return
    if "input" in config.detail:
        raise UsageError(
            f"detail input {_GRADIENTS}, and {module.kind} gives scores alone: leave it out"
        )
    for name, use in _NEEDS.items():
        is_possible = use == _GRADIENTS and module.has_input_gradient
        if getattr(config, name) and not is_possible:
            raise UsageError(
                f"{name} {use}, and {module.kind} gives scores alone: leave it out; --method "
                f"{' or '.join(SCORE_METHOD_NAMES)} and --check work"
            )
    refuse_methods(module, config.methods)


def _why_no_gradient(model: Classifier, config: ExplainConfig) -> str:
    """Why methods that need gradients cannot work; empty where they may."""
    module = model.module
    if isinstance(module, ScoresOnly):
        return f"{module.kind} gives scores alone"
    quantised = quantised_layer(module)
    if quantised is not None:
        return without_gradient(quantised)
    size = (config.num_frames or model.num_frames, *model.preprocess.crop)
    if model.layer or has_gradient(module, size):
        return ""
    return "the network's scores have no gradient"
