"""The command line becomes a RunConfig and the command's own options."""

from __future__ import annotations

import argparse
import pickle
from dataclasses import fields
from fractions import Fraction
from functools import reduce
from typing import Any

import pytest

from tests.support.command import BUNDLED, Run
from video_cam import UsageError
from video_cam.batch.run_config import RunConfig
from video_cam.cli.arguments import (
    CommandOptions,
    build_parser,
    command_options,
    parse,
    run_config,
)
from video_cam.models.user_code import UserFunction

# Words -> the field of RunConfig that they set, and its value.
RUN_OPTIONS: list[tuple[str, str, Any]] = [
    ("--max-pixels 7", "limits.max_pixels", 7),
    ("--max-frames 7", "limits.max_frames", 7),
    ("--max-memory 1.5G", "limits.max_memory", 3 * 2**29),
    ("--bit-depth 12", "explain.bit_depth", 12),
    ("--strict", "explain.strict", True),
    ("--model timm:x", "model.name", "timm:x"),
    ("--network resnet50", "model.name", "resnet50"),
    ("--model-path net.pt2", "model.name", "net.pt2"),
    ("--weights w.pth", "model.weights", "w.pth"),
    ("--weight-path none", "model.weights", "none"),
    ("--labels names.txt", "model.labels", "names.txt"),
    ("--labels-path names.txt", "model.labels", "names.txt"),
    ("--trust-checkpoint", "model.trust_checkpoint", True),
    ("--allow-partial", "model.allow_partial", True),
    ("--size 64", "model.input.size", (64, 64)),
    ("--size 64 96", "model.input.size", (64, 96)),
    ("--mean 1 2 3", "model.input.mean", (1.0, 2.0, 3.0)),
    ("--std 1 2 3", "model.input.std", (1.0, 2.0, 3.0)),
    ("--layout-in NTCHW", "model.input.layout", "NTCHW"),
    ("--score raw", "model.input.score", "raw"),
    ("--output-layout logits:NKT", "model.input.output_layout", "logits:NKT"),
    ("--channels gray", "model.input.channels", "gray"),
    ("--channels flow", "model.input.channels", "flow"),
    ("--value-range 255", "model.input.value_range", 255.0),
    ("--input-factory a.py:f", "model.input.input_factory", "a.py:f"),
    ("--method layercam fem", "explain.methods", ("layercam", "fem")),
    ("--layer layer3 -1", "explain.layers", ("layer3", "-1")),
    ("--layer-name when", "explain.layers", ("when",)),
    ("--conv-backcount 1 3", "explain.conv_backcount", (1, 3)),
    ("--class-id grow 3", "explain.class_ids", ("grow", "3")),
    ("--target a.py:f b.py:g", "explain.targets", (UserFunction("a.py:f"), UserFunction("b.py:g"))),
    ("--top-k 3", "explain.top_k", 3),
    ("--worst", "explain.worst", True),
    ("--aug-smooth", "explain.aug_smooth", True),
    ("--aug-shift 2", "explain.aug_shift", 2),
    ("--eigen-smooth", "explain.eigen_smooth", True),
    ("--guided", "explain.guided", True),
    ("--smoothgrad", "explain.smoothgrad", True),
    ("--check", "explain.check", True),
    ("--no-check", "explain.check", False),
    ("--sanity", "explain.sanity", True),
    ("--motion-test", "explain.motion_test", True),
    ("--frame-test", "explain.frame_test", True),
    ("--max-channels 4", "explain.max_channels", 4),
    ("--fill before", "explain.fill", "before"),
    ("--masks 64", "explain.masks", 64),
    ("--mask-error 0.05", "explain.mask_error", 0.05),
    ("--seed 3", "explain.seed", 3),
    ("--sampling uniform", "explain.sampling", "uniform"),
    ("--num-frames 8", "explain.num_frames", 8),
    ("--num-frames 8", "model.input.num_frames", 8),
    ("--frame-rate 30000/1001", "explain.frame_rate", Fraction(30000, 1001)),
    ("--frame-rate 12.5", "model.input.frame_rate", Fraction(25, 2)),
    ("--window-stride 4", "explain.window_stride", 4),
    ("--start 0.5", "explain.start", 0.5),
    ("--end 1.5", "explain.end", 1.5),
    ("--split-scenes", "explain.split_scenes", True),
    ("--video-stream 1", "explain.video_stream", 1),
    ("--class-scope window", "explain.class_scope", "window"),
    ("--contrast", "explain.contrast", True),
    ("--detail none input", "explain.detail", ("none", "input")),
    ("--align corners", "explain.align", "corners"),
    ("--fuse mean", "explain.fuse", "mean"),
    ("--pooling frame", "explain.pooling", "frame"),
    ("--normalize frame", "render.normalize", "frame"),
    ("--colormap jet", "render.colormap", "jet"),
    ("--alpha 0.25", "render.alpha", 0.25),
    ("--contours 0.25 0.5", "render.contours", (0.25, 0.5)),
    ("--layout strip", "render.layout", "strip"),
    ("--max-keyframes 3", "render.max_keyframes", 3),
    ("--max-keyframes 0", "render.max_keyframes", 0),
    ("--figure", "render.figure", True),
    ("--output-dir results", "output_dir", "results"),
    ("--save-dir results", "output_dir", "results"),
    ("--overwrite", "overwrite", True),
    ("--use-cuda", "model.use_cuda", True),
    ("--device cuda:1", "model.device", "cuda:1"),
    ("--precision bf16", "explain.precision", "bf16"),
    ("--batch-size 9", "explain.batch_size", 9),
    ("--time-limit 60", "time_limit", 60.0),
    ("--engine ray", "engine", "ray"),
    ("--ray-address auto", "ray.address", "auto"),
    ("--actor-cpus 2", "ray.actor_cpus", 2),
    ("--spread", "ray.spread", True),
    ("--actors 2:8", "ray.actors", (2, 8)),
    ("--actors 3", "ray.actors", (3, 3)),
    ("--cpu-actors 1:4", "ray.cpu_actors", (1, 4)),
    ("--log-level debug", "log_level", "debug"),
]
# Words -> the field of CommandOptions that they set, and its value.
COMMAND_OPTIONS: list[tuple[str, str, Any]] = [
    ("--clip a.mp4 b", "clips", ("a.mp4", "b")),
    ("--image-path a.png", "clips", ("a.png",)),
    ("--image-dir images", "clips", ("images",)),
    ("--truth folders boxes.csv", "truth", ("folders", "boxes.csv")),
    ("--n-images 3", "max_clips", 3),
    ("--shard 2/8", "shard", (2, 8)),
    ("--show", "show", True),
    ("--list-models", "list_models", True),
    ("--list-layers", "list_layers", True),
    ("--quiet", "quiet", True),
    ("--json", "as_json", True),
    ("--debug", "debug", True),
]


def value_at(config: object, path: str) -> Any:
    return reduce(getattr, path.split("."), config)


def leaves(config: Any, prefix: str = "") -> dict[str, Any]:
    """Every field by its path, those of nested configurations one by one."""
    found: dict[str, Any] = {}
    for one in fields(config):
        value, path = getattr(config, one.name), f"{prefix}{one.name}"
        nested = hasattr(value, "__dataclass_fields__")
        found |= leaves(value, f"{path}.") if nested else {path: value}
    return found


def test_without_options_the_defaults_are_those_of_the_configuration() -> None:
    assert run_config(parse([])) == RunConfig()
    assert command_options(parse([])) == CommandOptions(
        (), (), None, None, False, False, False, False, False, False
    )


@pytest.mark.parametrize(("words", "path", "value"), RUN_OPTIONS)
def test_an_option_of_the_run_sets_its_field_only(words: str, path: str, value: Any) -> None:
    config = run_config(parse(words.split()))
    assert value_at(config, path) == value
    assert type(value_at(config, path)) is type(value)
    before, after = leaves(RunConfig()), leaves(config)
    # The number and the rate of frames belong to the network's input and to the explanation.
    same = {name for name in before if name.rsplit(".", 1)[-1] != path.rsplit(".", 1)[-1]}
    assert after["explain.own_methods"] is (path != "explain.methods")
    same -= {"explain.own_methods"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


@pytest.mark.parametrize(("words", "name", "value"), COMMAND_OPTIONS)
def test_an_option_of_the_command_sets_its_field(words: str, name: str, value: Any) -> None:
    parsed = parse(words.split())
    assert getattr(command_options(parsed), name) == value
    assert run_config(parsed) == RunConfig()


def test_every_option_is_tested() -> None:
    known = {name for action in build_parser()._actions for name in action.option_strings}
    tested = {words.split()[0] for words, *_ in RUN_OPTIONS + COMMAND_OPTIONS}
    tested |= {"--text", "--text-template", "--text-negative"}  # in test_text_options.py
    assert tested == known - {"-h", "--help", "--version"}


def test_help_shows_the_defaults() -> None:
    shown = 0
    for action in build_parser()._actions:
        is_shown_only = action.default == argparse.SUPPRESS  # of --help and --version
        if action.default in (None, False, (), 0) or is_shown_only:
            continue
        default = action.default[0] if isinstance(action.default, tuple) else action.default
        assert f"default: {default})" in (action.help or "") % vars(action)
        shown += 1
    assert shown > 10


def test_a_run_config_can_be_sent_to_another_process() -> None:
    config = run_config(parse(["--target", "file.py:function", "--frame-rate", "30000/1001"]))
    assert pickle.loads(pickle.dumps(config)) == config


def test_underscores_are_dashes_in_options_but_not_in_values() -> None:
    parsed = parse(["--image_dir", "my_images", "--top_k", "3", "--layer", "my_layer"])
    assert command_options(parsed).clips == ("my_images",)
    explain = run_config(parsed).explain
    assert (explain.top_k, explain.layers) == (3, ("my_layer",))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--modle", "r3d_18"], "unknown option --modle: did you mean --model"),
        (["--top_p=3"], "unknown option --top_p=3: did you mean --top-k"),
        (["--x\x1b[2J\nerror: forged"], r"unknown option --x\x1b[2J\nerror: forged: choose"),
        (["--quiet", ""], "unknown argument ''"),
        (["--quiet", "rest"], "unknown argument 'rest'"),
        (["--mean", "1", "2"], "mean (1.0, 2.0) must be three numbers, for red, green and blue"),
        (["--channels", "grey"], "unknown channels 'grey': did you mean gray"),
        (["--value-range", "x"], "argument --value-range: invalid float value: 'x'"),
        (["--shard", "3/2"], "'3/2' must be I/N with 1 <= I <= N"),
        (["--shard", "0/2"], "'0/2' must be I/N with 1 <= I <= N"),
        (["--time-limit", "0"], "'0' is not a number of seconds above 0"),
        (["--time-limit", "inf"], "'inf' is not a number of seconds above 0"),
        (["--frame-rate", "1/0"], "'1/0' is not a frame rate: give 15 or 30000/1001"),
        (["--log-level", "loud"], "invalid choice"),
        (["--engine", "spark"], "invalid choice"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_option_is_one_line(words: list[str], message: str, run: Run) -> None:
    status, _, err = run("--clip", "any.mp4", *BUNDLED, *words)
    assert status == 2 and message in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--size 1 2 3", "--size [1, 2, 3] must be one side, or height and width"),
        ("--size 0", "size (0, 0) must be above 0"),
        ("--std 1 0 1", "std (1.0, 0.0, 1.0) must not be 0"),
        ("--score percent", "unknown score 'percent'"),
        ("--bit-depth 0", "bit_depth 0 must be a whole number from 1 to 16"),
        ("--max-pixels 0", "max_pixels 0 must be above 0"),
        ("--contours 0.5 1", "contours 1.0 must lie between 0 and 1"),
        ("--actor-cpus 0", "actor_cpus 0 must be above 0"),
        ("--start 2 --end 1", "end 1.0 s must be later than start 2.0 s"),
        ("--class-scope window --class-id 1", "leave class_ids out"),
    ],
)
def test_a_wrong_value_is_an_error(words: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        run_config(parse(words.split()))
    assert message in str(caught.value)
