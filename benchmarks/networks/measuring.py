"""One network through the tool: explained on a clip, compared with autograd, tested for places."""

from __future__ import annotations

import copy
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.networks.network import Network
from benchmarks.networks.places import Activations, answers_in_space, answers_in_time
from benchmarks.networks.random_weights import fill_zero_weights, refresh_batch_norms
from benchmarks.networks.reference import gradcam_by_hand, relative_difference
from benchmarks.networks.results import FAULT, MAPPED, NOT_RUN, REFUSED, Result
from video_cam import Classifier, compute_cams, explain, load_model
from video_cam.errors import UsageError, first_line
from video_cam.layers.hooks import first_tensor, forward_hooks, frozen_evaluation
from video_cam.layers.outputs import original_output
from video_cam.models.classifier import ChosenLayers

CLIP = Path(__file__).parents[2] / "clips" / "spin.mp4"
CLIPS_IN_A_BATCH = 2
NOTABLE = 1e-3  # a relative difference beyond rounding, in float32 as well
MIXES_CLIPS = "its own scores of a clip change with the other clips of a batch"


def measure_network(network: Network, clip: Path = CLIP) -> Result:
    """What comes of a network; never raises."""
    result = Result(network.name, network.repository, network.asked)
    began = time.perf_counter()
    torch.manual_seed(0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            _fill(result, network, clip)
        except UsageError as error:
            refused_by_itself = isinstance(error.__cause__, ImportError)
            result.outcome = NOT_RUN if refused_by_itself else REFUSED
            result.message = str(error)
        except Exception as error:  # a fault of the tool or of the network: the row says which
            result.outcome = FAULT
            result.message = f"{type(error).__name__}: {first_line(error)}"
    own = [one for one in caught if "video_cam" in one.filename or "benchmarks" in one.filename]
    result.warnings = list(dict.fromkeys(str(one.message) for one in own))
    result.seconds = time.perf_counter() - began
    return result


def _fill(result: Result, network: Network, clip: Path) -> None:
    classifier = _load(network)
    size = (classifier.num_frames, *classifier.preprocess.crop)
    x = torch.randn(CLIPS_IN_A_BATCH, 3, *size, generator=torch.Generator().manual_seed(1))
    fill_zero_weights(classifier.module)
    refresh_batch_norms(classifier.module, x)
    wanted = ("where", "when") if network.layer is None else (network.layer,)
    # Refuses in the words that a user reads who names no layer.
    chosen = classifier.layers(size, None if network.layer is None else wanted)
    explanation = explain(clip, classifier, layers=wanted, sampling="uniform", check=False)
    where, *_, when = (*explanation.maps, explanation.maps[-1])
    result.layer, result.shape = where.layer, where.values.shape[1:]
    result.layer_in_time, result.shape_in_time = when.layer, when.values.shape[1:]
    chosen = classifier.layers(size, wanted)
    result.difference, result.dtype = _difference(network, classifier, x, chosen)
    if result.difference > NOTABLE and _mixes_clips(network, classifier, x):
        result.difference, _ = _difference(network, classifier, x[:1], chosen)
        result.message = MIXES_CLIPS
    in_space = answers_in_space(_activations(classifier, chosen, where.layer), x[:1], where.centres)
    in_time = answers_in_time(_activations(classifier, chosen, when.layer), x[:1], when.centres)
    result.in_space, result.in_time = str(in_space or ""), str(in_time or "")
    result.outcome = MAPPED


def _load(network: Network) -> Classifier:
    options: dict[str, Any] = {"num_frames": network.num_frames, "size": network.size}
    return load_model(network.reference, network.weights, layout=network.layout, **options)


def _difference(
    network: Network, classifier: Classifier, x: Tensor, chosen: ChosenLayers
) -> tuple[float, str]:
    """The largest difference of maps and best scores to those by hand, and the dtype of both."""
    if not network.in_float64:
        return _difference_in(classifier.module, x, network, chosen), "float32"
    # Networks with numbers or buffers of a fixed type do not run in float64.
    try:
        module = copy.deepcopy(classifier.module).double()
        return _difference_in(module, x.double(), network, chosen), "float64"
    except (RuntimeError, TypeError, ValueError):
        return _difference_in(classifier.module, x, network, chosen), "float32"


def _mixes_clips(network: Network, classifier: Classifier, x: Tensor) -> bool:
    def scores(clips: Tensor) -> Tensor:
        return network.scores(original_output(classifier.module(clips)))

    with frozen_evaluation(classifier.module), torch.no_grad():
        alone = torch.cat([scores(clip[None]) for clip in x])
        return relative_difference(scores(x), alone) > NOTABLE


def _difference_in(module: nn.Module, x: Tensor, network: Network, chosen: ChosenLayers) -> float:
    """Maps of a batch against those by hand, one clip at a time."""
    options: Any = {"layers": chosen.names, "unpack": chosen.folds, "align": "receptive-field"}
    cams = compute_cams(module, x, **options)

    def read_scores(outputs: Any) -> Tensor:
        return network.scores(original_output(outputs))

    differences = []
    for number, clip in enumerate(x):
        scores, expected = gradcam_by_hand(module, clip[None], chosen.folds, read_scores)
        of_score = abs(float(cams[0].scores[number] - scores.max())) / float(scores.abs().max())
        differences.append(of_score)
        for cam in cams:
            differences.append(relative_difference(cam.values[number], expected[cam.layer]))
    return max(differences)


def _activations(classifier: Classifier, chosen: ChosenLayers, layer: str) -> Activations:
    """A layer's output (1, K, T', H', W') as a function of the network's input."""
    module = classifier.module

    def activations(x: Tensor) -> Tensor:
        found: list[Tensor] = []

        def keep(_name: str, _module: object, output: object) -> None:
            tensor = first_tensor(output)
            assert tensor is not None
            found.append(chosen.folds[layer](tensor).double())

        layers = {layer: module.get_submodule(layer)}
        with forward_hooks(layers, keep), frozen_evaluation(module), torch.no_grad():
            module(x)
        return found[0]

    return activations
