"""Networks of one's own: where they come from, what they take and put out, and what is wrong."""

from __future__ import annotations

import contextlib
import io
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import video_cam
from tests.support.networks import PoolLinear, clip, seeded
from video_cam import UsageError, compute_cams, load_model
from video_cam.cli.main import main
from video_cam.models.input_layout import Packing, parse_layout, pathway_frames

SMALL = {"num_frames": 4, "size": (16, 16), "frame_rate": 8}

FACTORIES = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.conv = nn.Conv3d(3, 4, 3, stride=(1, 2, 2), padding=1)
        self.unused = nn.Conv3d(3, 4, 1)
        self.fc = nn.Linear(4, classes)
    def forward(self, x):
        return self.fc(self.conv(x).relu().mean((2, 3, 4)))

class Flat(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)
    def forward(self, x):
        return self.fc(x.mean((2, 3, 4)))

class Volume(Net):
    def forward(self, x):
        return self.conv(x)

class Cut(Net):
    def forward(self, x):
        return self.fc(self.conv(x).relu().mean((2, 3, 4)).detach() + 0 * x.mean((2, 3, 4))[:, :1])

class Looped(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.lstm = nn.LSTM(4, 5, batch_first=True)
        self.fc = nn.Linear(5, 3)
    def forward(self, x):
        frames = [self.conv(x[:, :, t]).mean((2, 3)) for t in range(x.shape[2])]
        return self.fc(self.lstm(torch.stack(frames, 1))[0][:, -1])

def looped():
    return Looped()

def make():
    torch.manual_seed(0)
    return Net()

def one():
    return Net(1)

def volume():
    return Volume()

def flat():
    return Flat()

def cut():
    return Cut()

def raises():
    raise RuntimeError("no such disk\\nand more")

def no_module():
    return 3

number = 3

def brightness(outputs):
    return outputs[:, 0] - outputs[:, 1]

def wrong(outputs):
    return outputs
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "nets.py"
    path.write_text(FACTORIES)
    return path


def test_from_a_file_a_package_and_a_module(file: Path, monkeypatch) -> None:
    monkeypatch.chdir(file.parent)
    monkeypatch.syspath_prepend("")
    from_file = load_model(f"{file}:make", **SMALL)
    from_package = load_model("nets:make", **SMALL)
    del sys.modules["nets"]  # other tests have files of that name
    at_hand = load_model(from_file.module, **SMALL)
    for model in (from_file, from_package, at_hand):
        assert (model.layer, model.labels) == ("conv", ("class 0", "class 1", "class 2"))
        assert model.layers((4, 16, 16)).folds["conv"].grid == (4, 8, 8)
    assert from_file.code and not at_hand.code


class _TimeFirst(PoolLinear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2))


def test_a_network_at_hand_is_left_as_it_is() -> None:
    network = _TimeFirst().train()
    model = load_model(network, layout="NTCHW", **SMALL)
    assert network.training and type(network) is _TimeFirst
    x = torch.randn(2, 3, 5, 16, 16)
    torch.testing.assert_close(model.module(x), network(x.transpose(1, 2)))  # as ever
    assert model.module.fc is network.fc


def test_weights_are_loaded_into_a_factorys_network(file: Path) -> None:
    model = load_model(f"{file}:make", **SMALL)
    state = {name: torch.full_like(t, 0.5) for name, t in model.module.state_dict().items()}
    torch.save({"state_dict": state}, file.parent / "w.pth")
    loaded = load_model(f"{file}:make", file.parent / "w.pth", **SMALL)
    assert loaded.weights == "w.pth" and (loaded.module.fc.weight == 0.5).all()


def test_a_whole_saved_module_only_with_trust(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save(PoolLinear(), path)
    with pytest.raises(UsageError, match="add --trust-checkpoint"):
        load_model(str(path), **SMALL)
    model = load_model(str(path), trust_checkpoint=True, **SMALL)
    assert model.name == "net.pt" and model.layer == "relu"


class RunsCode:
    """Unpickling it makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.marker,))


def test_an_exported_program_that_would_run_code_only_with_trust(tmp_path: Path) -> None:
    marker, good, bad = (tmp_path / name for name in ("marker", "good.pt2", "bad.pt2"))
    torch.export.save(
        torch.export.export(PoolLinear().eval(), (torch.randn(1, 3, 4, 16, 16),)), good
    )
    buffer = io.BytesIO()
    torch.save(RunsCode(marker), buffer)
    with zipfile.ZipFile(good) as archive, zipfile.ZipFile(bad, "w") as crafted:
        for name in archive.namelist():
            is_sample = "sample_inputs" in name
            crafted.writestr(name, buffer.getvalue() if is_sample else archive.read(name))
    for path in (good, bad):
        with pytest.raises(UsageError, match="add --trust-checkpoint"):
            load_model(str(path), **SMALL)
    assert not marker.exists()
    with contextlib.suppress(UsageError):
        load_model(str(bad), trust_checkpoint=True, **SMALL)
    assert marker.exists()  # the file is one that runs code where it is trusted


def test_an_exported_program_maps_like_the_network_it_was_made_from(tmp_path: Path) -> None:
    network = PoolLinear().eval()
    x = torch.randn(2, 3, 4, 16, 16)
    dynamic = ({0: torch.export.Dim.DYNAMIC},)
    torch.export.save(
        torch.export.export(network, (x,), dynamic_shapes=dynamic), tmp_path / "n.pt2"
    )
    model = load_model(str(tmp_path / "n.pt2"), trust_checkpoint=True, **SMALL)
    [ours] = compute_cams(model.module, x, layers=["conv2"], targets=[1])
    [expected] = compute_cams(network, x, layers=["conv2"], targets=[1])
    torch.testing.assert_close(ours.values, expected.values)


def test_a_program_exported_for_one_clip_is_given_one_at_a_time(
    tmp_path: Path, sample_clip: Path
) -> None:
    network = PoolLinear().eval()
    program = torch.export.export(network, (torch.randn(1, 3, 4, 16, 16),))
    torch.export.save(program, tmp_path / "n.pt2")
    model = load_model(str(tmp_path / "n.pt2"), trust_checkpoint=True, **SMALL)
    assert model.max_batch == 1
    options = {"class_ids": [1], "layers": ["conv2"], "methods": ["gradcam", "ablationcam"]}
    ours = video_cam.explain(sample_clip, model, **options)
    same = video_cam.explain(sample_clip, load_model(network, **SMALL), **options)
    assert len(ours.frame_indices) > 1
    for one, other in zip(ours.maps, same.maps, strict=True):
        np.testing.assert_allclose(one.values, other.values, atol=1e-5)


def test_torchscript_says_what_to_do(tmp_path: Path) -> None:
    torch.jit.trace(PoolLinear().eval(), torch.randn(1, 3, 4, 16, 16)).save(tmp_path / "s.pt")
    with pytest.raises(UsageError, match=r"TorchScript.*file.py:factory"):
        load_model(str(tmp_path / "s.pt"), **SMALL)


class _Frames(nn.Module):
    """An image network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).relu().mean((2, 3)))


def test_frames_have_their_own_scores_and_the_clip_their_mean(sample_clip: Path) -> None:
    network = _Frames()
    model = load_model(network, layout="frames", **SMALL)
    assert model.framewise
    x = torch.randn(2, 3, 4, 16, 16)
    scores = model.module(x)
    assert scores.shape == (2, 4, 3)
    torch.testing.assert_close(scores[1, 2], network(x[1:, :, 2])[0])
    [cam] = compute_cams(model.module, x, layers=["conv"], targets=[1])
    torch.testing.assert_close(cam.scores, scores.mean(1)[:, 1])
    explanation = video_cam.explain(sample_clip, model, class_ids=[1])
    of_frames = explanation.maps[0].frame_scores
    assert of_frames is not None and of_frames.shape == explanation.frame_indices.shape
    alone = explanation.scores_of_frames()
    assert alone[int(explanation.frame_indices[0, 1])] == pytest.approx(float(of_frames[0, 1]))
    # Windows of frames scored one by one do not overlap, but for the last.
    assert (np.diff(explanation.frame_indices[:, 0])[:-1] >= 4).all()


def test_a_still_image_is_one_frame(tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "i.png"), np.full((20, 30, 3), 90, np.uint8))
    model = load_model(_Frames(), layout="frames", **SMALL)
    explanation = video_cam.explain(tmp_path / "i.png", model)
    assert explanation.frame_indices.shape == (1, 1) and not explanation.num_padded.any()


class _SlowFast(nn.Module):
    """Two pathways, each a convolution; it writes to the list it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = nn.Conv3d(3, 4, (1, 3, 3), padding=(0, 1, 1))
        self.fast = nn.Conv3d(3, 4, (1, 3, 3), padding=(0, 1, 1))
        self.fc = nn.Linear(8, 3)

    def forward(self, x: list[Tensor]) -> Tensor:
        x[0], x[1] = self.slow(x[0]), self.fast(x[1])
        return self.fc(torch.cat([part.mean((2, 3, 4)) for part in x], 1))


def test_two_pathways_each_on_its_own_time(sample_clip: Path) -> None:
    model = load_model(_SlowFast(), layout="list:4,1", num_frames=8, size=(16, 16), frame_rate=8)
    layers = model.layers((8, 16, 16), ["slow", "fast"])
    assert [layers.folds[name].grid[0] for name in layers.names] == [2, 8]
    explanation = video_cam.explain(sample_clip, model, layers=["slow", "fast"])
    slow, fast = (series.centres.t for series in explanation.maps)
    np.testing.assert_allclose(slow, [0, 7])  # the frames it was given
    np.testing.assert_allclose(fast, np.arange(8), atol=1e-4)  # measured


def test_the_frames_of_a_slow_pathway() -> None:
    assert pathway_frames(8, 4).tolist() == [0, 7]
    assert pathway_frames(32, 4).tolist() == [0, 4, 8, 13, 17, 22, 26, 31]
    with pytest.raises(UsageError, match=r"10 frames .* every 4th"):
        pathway_frames(10, 4)


@pytest.mark.parametrize(
    ("text", "packing"),
    [
        ("NTCHW", Packing("NTCHW")),
        ("list", Packing("list", (4, 1))),
        ("list:8,1", Packing("list", (8, 1))),
        ("list:1", Packing("list", (1,))),
    ],
)
def test_layouts(text: str, packing: Packing) -> None:
    assert parse_layout(text) == packing


@pytest.mark.parametrize("text", ["NHWC", "list:0", "list:a", "frames:2"])
def test_wrong_layouts(text: str) -> None:
    with pytest.raises(UsageError, match="unknown layout"):
        parse_layout(text)


@dataclass(frozen=True)
class _Output:
    loss: Tensor | None
    logits: Tensor


WRAPPED = {
    "dataclass": lambda y: _Output(None, y),
    "dict": lambda y: {"aux": y * 0, "logits": y},
    "dict of one": lambda y: {"whatever": y},
    "tuple": lambda y: (y, y * 0),
    "list": lambda y: [y],
    "per frame": lambda y: torch.stack([y - 1, y + 1], 1),
    "with places": lambda y: y[:, :, None, None, None],
}


class _Wrapping(PoolLinear):
    def __init__(self, wrap: Any) -> None:
        super().__init__()
        self.wrap = wrap

    def forward(self, x: Tensor) -> Any:
        return self.wrap(super().forward(x))


@pytest.mark.parametrize("kind", WRAPPED)
@pytest.mark.parametrize("method", ["gradcam", "ablationcam", "scorecam"])
def test_outputs_of_every_kind(kind: str, method: str) -> None:
    network = seeded(_Wrapping, wrap=WRAPPED[kind])
    arguments = {"layers": ["conv2"], "methods": [method], "targets": [None, 2]}
    ours = compute_cams(network, clip(), **arguments)
    expected = compute_cams(seeded(PoolLinear), clip(), **arguments)
    for one, other in zip(ours, expected, strict=True):
        torch.testing.assert_close(one.values, other.values)
        torch.testing.assert_close(one.scores, other.scores)


class _Named(PoolLinear):
    def forward(self, pixel_values: Tensor, mask: Tensor | None = None) -> Tensor:
        return super().forward(pixel_values if mask is None else pixel_values * mask)


class _OneDict(PoolLinear):
    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return super().forward(batch["frames"])


@pytest.mark.parametrize("method", ["gradcam", "smoothgradcam++", "ablationcam", "scorecam"])
def test_inputs_in_dicts(method: str) -> None:
    options = {"layers": ["conv2"], "methods": [method], "targets": [1]}
    [expected] = compute_cams(seeded(PoolLinear), clip(), **options)
    named = {"pixel_values": clip(), "mask": torch.ones(2, 1, 1, 1, 1, dtype=torch.int64)}
    if method == "scorecam":
        del named["mask"]
    for network, x in ((_Named, named), (_OneDict, {"frames": clip()})):
        [cam] = compute_cams(seeded(network), x, **options)
        torch.testing.assert_close(cam.values, expected.values)


def test_one_score_is_a_yes_or_no(file: Path, sample_clip: Path) -> None:
    model = load_model(f"{file}:one", **SMALL)
    assert model.score == "sigmoid" and model.labels == ("class 0",)
    explanation = video_cam.explain(sample_clip, model)
    assert (explanation.probabilities > 0).all() and (explanation.probabilities < 1).all()


def test_regression_shows_the_value_itself(file: Path, sample_clip: Path) -> None:
    model = load_model(f"{file}:one", score="raw", labels=["speed"], **SMALL)
    network = model.module
    explanation = video_cam.explain(sample_clip, model)
    assert explanation.labels == ("speed",) and explanation.shown(0, 12.345) == "12.3"
    frames = explanation.frame_indices
    assert explanation.probabilities.shape == (len(frames), 1) and network is model.module


def test_functions_as_targets(file: Path, sample_clip: Path, tmp_path: Path) -> None:
    model = load_model(f"{file}:make", **SMALL)

    def margin(outputs: Tensor) -> Tensor:
        return outputs[:, 0] - outputs[:, 1]

    both = video_cam.explain(sample_clip, model, targets=[margin], class_ids=[0, 1])
    zero, one, function = both.maps
    # The map is linear in the score.
    np.testing.assert_allclose(function.values, zero.values - one.values, atol=1e-6)
    assert (function.label, function.class_id) == ("margin", -1)
    both.save(tmp_path / "e.npz")
    loaded = video_cam.Explanation.load(tmp_path / "e.npz")
    assert loaded.functions == ("margin",) and loaded.score(-1) == both.score(-1)
    summary = video_cam.render(sample_clip, loaded, tmp_path / "drawn")
    assert summary["targets"][2]["label"] == "margin" and "%" not in summary["targets"][2]["shown"]


BAD = [
    (["--model", "{file}:raises"], "raised RuntimeError: no such disk; it is called without"),
    (["--model", "{file}:no_module"], "returned a int, expected an nn.Module"),
    (["--model", "{file}:number"], "is a int, expected a function"),
    (["--model", "{file}:mak"], "did you mean make?"),
    (["--model", "no_package.at_all:make"], "no module named 'no_package'"),
    (["--model", "missing.py:make"], "no such file: 'missing.py'"),
    (["--model", "missing.pt"], "no such file: 'missing.pt'"),
    (["--model", "resnet5"], "did you mean resnet50"),
    (["--model", "nobody/nothing-like-it", "--weights", "none"], "neither on disk nor to be had"),
    (["--model", "timm:resnet5000"], "timm has no model 'resnet5000'"),
    (["--model", "frame_lstm"], "has no pretrained weights"),
    (["--model", "{file}:volume"], "expected (N, classes) or (N, T, classes) scores"),
    (["--model", "{file}:flat"], "no layer of the network puts out a grid of places"),
    (["--model", "{file}:looped"], "once for each of the 4 frames: give it all frames at once"),
    (["--model", "{file}:looped", "--layer", "conv"], "once for each of the 4 frames"),
    (["--model", "{file}:cut"], "no layer of the network puts out a grid of places that leads"),
    (["--model", "{file}:cut", "--layer", "conv"], "the score does not depend on layer 'conv'"),
    (["--model", "{file}:make", "--layer", "fc"], "layer 'fc' has no grid of places"),
    (["--model", "{file}:make", "--layer", "unused"], "or is never called: choose one of conv"),
    (["--model", "{file}:make", "--layer", "con"], "did you mean conv?"),
    (["--model", "{file}:make", "--layer", "-2"], "layer -2 is outside -1 ... -1"),
    (["--model", "{file}:make", "--layer", "x*"], "no layer with a grid matches 'x*'"),
    (["--model", "{file}:make", "--conv-backcount", "2"], "--conv-backcount 2 is outside 1 ... 1"),
    (
        ["--model", "{file}:make", "--target", "{file}:wrong"],
        "3) of the network's output, expected (N,) scores",
    ),
    (["--model", "{file}:make", "--target", "wrong"], "names no function: write file.py:name"),
    (["--model", "{file}:make", "--layout-in", "frames"], "the network does not run on an input"),
    (["--model", "{file}:make", "--mean", "0", "0", "0", "--std", "1", "0", "1"], "must not be 0"),
    (["--model", "{file}:make", "--size", "1", "2", "3"], "must be one side, or height and width"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=[words for _, words in BAD])
def test_bad_input(arguments, words: str, file: Path, sample_clip: Path, capsys, monkeypatch):
    monkeypatch.setattr("video_cam.models.huggingface.why_no_download", lambda url: "no network")
    sizes = [] if "--size" in arguments else ["--size", "16"]
    status = main(
        [
            *("--clip", str(sample_clip), "--output-dir", str(file.parent / "out")),
            *("--num-frames", "4", *sizes, *(text.format(file=file) for text in arguments)),
        ]
    )
    told = capsys.readouterr().err
    assert status == 2 and words in told
    assert told.startswith("error: ") and told.count("\n") == 1
    made = (file.parent / "out").glob("*")
    assert not [path for path in made if not path.name.startswith(".")]


def test_recurrent_layers_run_without_cudnn_and_nothing_else(monkeypatch) -> None:
    network = video_cam.load_model("frame_lstm", "none", num_frames=3, size=(16, 16)).module
    monkeypatch.setattr(sys.modules["video_cam.layers.hooks"], "_on_cuda", lambda module: True)
    used: dict[str, bool] = {}

    def note(name: str) -> Any:
        return lambda *_: used.update({name: torch.backends.cudnn.enabled})

    handles = [
        getattr(network, name).register_forward_pre_hook(note(name)) for name in ("cnn", "fc")
    ]
    whole = network.lstm.forward
    monkeypatch.setattr(
        network.lstm, "forward", lambda *x: (note("lstm")(), whole(*x))[1], raising=False
    )
    compute_cams(network, torch.randn(1, 3, 3, 16, 16), layers=["cnn"])
    assert used == {"cnn": True, "lstm": False, "fc": True}
    assert torch.backends.cudnn.enabled

    def breaks(*_: Any) -> None:
        raise RuntimeError("half-way")

    monkeypatch.setattr(network.lstm, "forward", breaks)
    with pytest.raises(RuntimeError, match="half-way"), video_cam.capture(network, ["cnn"]):
        network(torch.randn(1, 3, 3, 16, 16))
    assert torch.backends.cudnn.enabled and not network.lstm._forward_pre_hooks
    for handle in handles:
        handle.remove()


def test_full_gradient_and_guided_pictures_of_frames() -> None:
    model = load_model(_Frames().eval(), layout="frames", **SMALL)
    x = torch.randn(2, 3, 4, 16, 16)
    [cam] = compute_cams(model.module, x, layers=["conv"], methods=["fullgrad"], targets=[1])
    assert cam.values.shape == (2, 4, 8, 8)
    # Frames share nothing, so a frame's part is that of the frame alone, a quarter of its score.
    [still] = compute_cams(
        model.module, x[:, :, 2:3], layers=["conv"], methods=["hirescam"], targets=[1]
    )
    [whole] = compute_cams(model.module, x, layers=["conv"], methods=["hirescam"], targets=[1])
    torch.testing.assert_close(whole.values[:, 2:3] * 4, still.values)
    assert video_cam.guided_backprop(model.module, x, 1).shape == x.shape
