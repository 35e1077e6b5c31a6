"""The network of a run: its device, its messages, and options that it cannot follow."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from tests.support.reporting import RecordingReporter
from video_cam import Classifier, UsageError
from video_cam.batch import network
from video_cam.batch.network import (
    NetworkExplainer,
    choose_device,
    load_explainer,
    load_network,
    supported_precision,
)
from video_cam.batch.run_config import ModelConfig, RunConfig
from video_cam.config import ExplainConfig, InputConfig
from video_cam.models.user_code import UserFunction
from video_cam.utils.progress import silent
from video_cam.video.clip import Clip

BUNDLED = ModelConfig(name="motion3d")


@pytest.fixture
def reporter() -> RecordingReporter:
    return RecordingReporter()


@pytest.mark.parametrize(
    ("explain", "shown"),
    [
        (ExplainConfig(), "on cpu, layer layer4 (4x4x4)"),
        (
            ExplainConfig(conv_backcount=(1, 2)),
            "on cpu, layers layer4.shortcut.0 (4x4x4), layer4.conv2 (4x4x4)",
        ),
        (
            ExplainConfig(layers=("layer[12]",)),
            "on cpu, layers layer1 (16x16x16), layer2 (16x16x16)",
        ),
        (ExplainConfig(layers=("layer3",)), "on cpu"),
    ],
)
def test_the_message_names_layers_that_the_user_did_not(
    explain: ExplainConfig, shown: str, reporter
) -> None:
    load_network(BUNDLED, explain, reporter)
    [(level, message)] = reporter.messages
    assert level == "info" and message.startswith("model motion3d (") and message.endswith(shown)


def test_the_settings_of_the_input_reach_the_network(reporter) -> None:
    size = InputConfig(num_frames=8, size=(32, 48), score="raw")
    model = load_network(ModelConfig("motion3d", "none", input=size), ExplainConfig(), reporter)
    assert (model.num_frames, model.preprocess.crop, model.score) == (8, (32, 48), "raw")
    assert not model.trained


@pytest.mark.parametrize("supported", [True, False])
def test_bf16_is_not_emulated(supported: bool, bundled, reporter, monkeypatch) -> None:
    monkeypatch.setattr(network, "cpu_computes_bf16", lambda: supported)
    config = supported_precision(ExplainConfig(precision="bf16"), bundled, reporter)
    assert config.precision == ("bf16" if supported else "fp32")
    message = ("warning", "this processor does not compute in bf16; running in fp32")
    assert reporter.messages == ([] if supported else [message])
    assert supported_precision(ExplainConfig(), bundled, reporter) == ExplainConfig()
    run = RunConfig(model=BUNDLED, explain=ExplainConfig(precision="bf16"))
    assert load_explainer(run, reporter)[1].explain.precision == config.precision


def test_the_device(reporter, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device(ModelConfig(), reporter) == "cpu"
    assert choose_device(ModelConfig(device="cpu", use_cuda=True), reporter) == "cpu"
    assert reporter.messages == []
    assert choose_device(ModelConfig(use_cuda=True), reporter) == "cpu"
    assert reporter.texts("warning") == ["there is no CUDA device; running on the CPU"]
    with pytest.raises(UsageError, match=r"device 'abacus' cannot be used; there are cpu"):
        choose_device(ModelConfig(device="abacus"), reporter)


def test_target_functions_are_found_where_the_network_is_loaded(
    tmp_path: Path, reporter, sample_clip: Path
) -> None:
    (tmp_path / "targets.py").write_text("def twice(out):\n    return 2 * out[:, 1]\n")
    function = f"{tmp_path}/targets.py:twice"
    explain = ExplainConfig(check=False, targets=(UserFunction(function),))
    config = pickle.loads(pickle.dumps(RunConfig(model=BUNDLED, explain=explain)))
    explainer, adapted = load_explainer(config, reporter)
    assert [target.__name__ for target in adapted.explain.targets] == ["twice"]
    explanation = explainer.explain(Clip.open(sample_clip), adapted.explain, silent)
    assert [series.label for series in explanation.maps] == ["twice"]
    with pytest.raises(UsageError, match="did you mean twice"):
        wrong = ExplainConfig(targets=(UserFunction(f"{function}e"),))
        load_explainer(RunConfig(model=BUNDLED, explain=wrong), reporter)


@pytest.mark.parametrize(
    ("explain", "words"),
    [
        (ExplainConfig(layers=("layer9",)), "unknown layer 'layer9'"),
        (ExplainConfig(class_ids=("dash lft",)), "did you mean dash left"),
        (ExplainConfig(class_ids=(9,)), "outside 0 ... 8"),
    ],
)
def test_options_that_do_not_fit_are_reported_before_any_clip(
    explain: ExplainConfig, words: str, reporter
) -> None:
    with pytest.raises(UsageError, match=words):
        load_explainer(RunConfig(model=BUNDLED, explain=explain), reporter)


def test_an_explainer_checks_its_maps_and_is_known_by_its_weights(
    bundled: Classifier, sample_clip: Path
) -> None:
    explainer, config = NetworkExplainer(bundled), ExplainConfig(check=True)
    explanation = explainer.explain(Clip.open(sample_clip), config, silent)
    assert explanation.check is not None and explanation.check["forwards"] == 16
    parts = explainer.fingerprint_parts(config)
    assert parts == NetworkExplainer(bundled).fingerprint_parts(config)
    untrained = load_network(ModelConfig("motion3d", "none"), config, RecordingReporter())
    assert parts != NetworkExplainer(untrained).fingerprint_parts(config)


def test_a_wrong_target_is_reported_before_the_network_loads(
    reporter: RecordingReporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "load_network", lambda *_: pytest.fail("the network was loaded"))
    explain = ExplainConfig(targets=(UserFunction("nowhere.py:f"),))
    with pytest.raises(UsageError, match=r"no such file: 'nowhere\.py'"):
        load_explainer(RunConfig(BUNDLED, explain), reporter)
