"""Networks with texts as classes: scores as those of transformers, pixels as the processor's."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from tests.support import text_networks as tiny
from tests.support.text_networks import FRAMES, KINDS, PATCH, SIDE
from video_cam import UsageError, compute_cams, load_model
from video_cam.batch.fingerprint import fingerprint_parts
from video_cam.config import ExplainConfig
from video_cam.layers.weights_digest import digest_of_weights
from video_cam.models.preprocessing import Preprocess
from video_cam.models.text.text_spec import text_spec
from video_cam.text_config import TextConfig

transformers = pytest.importorskip("transformers")

TEXTS = ["a red car", "Two dogs, running"]
RED, BLUE = "red ball", "blue ball"
Folder = tuple[str, Path, Any]


@pytest.fixture(scope="module", params=KINDS)
def random(request, tmp_path_factory) -> Folder:
    """(kind, folder, network in it) with random weights."""
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, folder, tiny.save(request.param, folder)


@pytest.fixture(scope="module", params=KINDS)
def known(request, tmp_path_factory) -> tuple[str, Path]:
    """(kind, folder) of a network that finds red and blue."""
    folder = tmp_path_factory.mktemp(request.param)
    tiny.save(request.param, folder, tiny.hand_set(request.param, RED, BLUE))
    return request.param, folder


def clip(frames: int) -> Tensor:
    return torch.randn(2, 3, frames, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


def test_scores_are_those_of_the_whole_network(random: Folder) -> None:
    kind, folder, network = random
    model = load_model(folder, text=TEXTS, text_template="{}", text_negative="noise")
    x = clip(model.num_frames)
    expected = tiny.scores_of_transformers(kind, network, [*TEXTS, "noise"], x)
    found = model.module(x).detach()
    assert found.shape == ((2, 3) if kind == "XCLIP" else (2, model.num_frames, 3))
    torch.testing.assert_close(found.flatten(0, -2), expected, rtol=1e-5, atol=1e-5)
    assert expected.std(0).min() > 1e-3  # it depends on the clip
    assert model.labels == (*TEXTS, "noise") and model.num_texts == 2
    assert model.framewise == (kind != "XCLIP")


def test_own_templates_are_those_that_the_documents_tell(random: Folder) -> None:
    kind, folder, network = random
    own = {"CLIP": "a photo of cup", "XCLIP": "cup"}.get(kind, "This is a photo of cup.")
    model = load_model(folder, text="cup")
    x = clip(model.num_frames)
    expected = tiny.scores_of_transformers(kind, network, [own], x)
    torch.testing.assert_close(model.module(x).flatten(0, -2), expected, rtol=1e-5, atol=1e-5)


def test_encodings_of_several_templates_are_averaged_as_directions(random: Folder) -> None:
    kind, folder, network = random
    templates = ["{}", "a drawing of {}", "{}, at night"]
    model = load_model(folder, text=TEXTS, text_template=templates)
    x = clip(model.num_frames)
    # The score of one template is s <v, t> + b: the mean direction is found from a base of v.
    sentences = [one.replace("{}", text) for text in TEXTS for one in templates]
    single = tiny.scores_of_transformers(kind, network, sentences, x)
    bias = getattr(network, "logit_bias", torch.zeros(1)).detach()
    mean = (single - bias).unflatten(1, (2, 3)).mean(2)  # s <v, mean of t>
    ratio = (model.module(x).detach().flatten(0, -2) - bias) / mean
    assert (ratio >= 1 - 1e-4).all()  # the mean of directions is shorter than 1
    if kind != "XCLIP":  # where the texts do not depend on the clip, by the same factor everywhere
        torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio), rtol=1e-3, atol=1e-3)
        alone = load_model(folder, text=sentences, text_template="{}").module.texts
        length = alone.unflatten(0, (2, 3)).mean(1).norm(dim=1)
        torch.testing.assert_close(ratio[0], 1 / length, rtol=1e-3, atol=1e-3)


def test_the_text_part_is_left_out_and_gradients_reach_the_pixels(random: Folder) -> None:
    _, folder, _ = random
    model = load_model(folder, text=TEXTS)
    assert not any("text_model" in name for name, _ in model.module.named_modules())
    x = clip(model.num_frames)[:1].requires_grad_()
    model.module(x)[..., 1].sum().backward()
    assert x.grad is not None and (x.grad.abs().amax((1, 3, 4)) > 0).all()


def test_how_scores_are_shown(random: Folder) -> None:
    kind, folder, _ = random
    several, one = ("softmax", "raw") if not kind.startswith("Siglip") else ("sigmoid", "sigmoid")
    assert load_model(folder, text=TEXTS).score == several
    assert load_model(folder, text="cup").score == one
    assert load_model(folder, text="cup", text_negative="rest").score == several
    assert load_model(folder, text="cup", score="softmax").score == "softmax"


def test_weights_of_a_file_and_random_ones(random: Folder) -> None:
    kind, folder, network = random
    model = load_model(folder, folder / "model.safetensors", text=TEXTS, text_template="{}")
    x = clip(model.num_frames)
    expected = tiny.scores_of_transformers(kind, network, TEXTS, x)
    torch.testing.assert_close(model.module(x).flatten(0, -2), expected, rtol=1e-5, atol=1e-5)
    untrained = load_model(folder, "none", text=TEXTS)
    assert not untrained.trained and untrained.module(x).isfinite().all()


def test_other_texts_and_templates_are_another_result(random: Folder) -> None:
    _, folder, _ = random

    def parts(**texts: Any) -> str:
        model = load_model(folder, **texts)
        return str(fingerprint_parts(model, digest_of_weights(model.module), ExplainConfig()))

    given = [
        {"text": TEXTS},
        {"text": TEXTS[::-1]},
        {"text": TEXTS, "text_template": "{}!"},
        {"text": TEXTS[:1], "text_negative": TEXTS[1:]},
    ]
    found = [parts(**one) for one in given]
    assert len({*found}) == len(given)
    assert found[0] == parts(**given[0])


def test_a_larger_input_has_a_finer_grid(random: Folder) -> None:
    _, folder, _ = random
    model = load_model(folder, text=TEXTS, size=(SIDE, 2 * SIDE), num_frames=FRAMES)
    size = (FRAMES, SIDE, 2 * SIDE)
    assert model.layers(size).folds[model.layer].grid == (FRAMES, 4, 8)


# Maps

METHODS = ("gradcam", "hirescam", "layercam", "attention-gradient", "legrad")
CELLS = [(1, 1, 0), (1, 1, 1), (1, 2, 1), (2, 2, 1)]  # each is moved by one token from the last one


@pytest.mark.parametrize("method", METHODS)
def test_each_text_is_where_its_colour_is_and_moves_with_it(
    known: tuple[str, Path], method: str
) -> None:
    kind, folder = known
    model = load_model(folder, text=[RED, BLUE], text_template="{}", num_frames=FRAMES)
    if kind == "XCLIP" and method in ("attention-gradient", "legrad"):
        # Message tokens are made of several tokens, so no key has a place of its own.
        with pytest.raises(UsageError, match="attention"):
            compute_cams(model.module, tiny.blobs(CELLS[:1], [(1, 3, 3)], FRAMES), methods=[method])
        return
    size = (FRAMES, SIDE, SIDE)
    named = {"layers": [model.layer], "unpack": model.layers(size).folds}
    for cell in CELLS:
        x = tiny.blobs([cell], [(cell[0], 3, 3)], FRAMES)
        maps = compute_cams(
            model.module, x, methods=[method], targets=[0, 1], **(named if "cam" in method else {})
        )
        for found, place in zip(maps, (cell, (cell[0], 3, 3)), strict=True):
            values = found.values[0].clamp(min=0)
            best = torch.unravel_index(values.argmax(), values.shape)
            assert tuple(map(int, best)) == place
            if method != "gradcam":  # whose weights are pooled over the clip
                assert values.max() > 0.9 * values.sum()


def test_hirescam_is_the_score_that_a_patch_gives(tmp_path: Path) -> None:
    """In CLIP, without other frames: a closed form of the gradient of a cosine."""
    tiny.save("CLIP", tmp_path, tiny.hand_set("CLIP", RED, BLUE))
    model = load_model(tmp_path, text=[RED, BLUE], text_template="{}", num_frames=1)
    x = tiny.blobs([(0, 1, 1)], [(0, 3, 0)], 1)
    unpack = model.layers((1, SIDE, SIDE)).folds
    [cam] = compute_cams(
        model.module, x, layers=[model.layer], methods=["hirescam"], targets=[0], unpack=unpack
    )
    # Patches are normalised colours p, the class token is their mean c, which is normalised again,
    # and grey g is added: the score is s cos(v, red) of v = normalised(c) + g.
    width = (tiny.WIDTH,)
    red = torch.zeros(width, dtype=torch.float64)
    red[tiny.RED], red[tiny.RED + 1] = 1.0, -1.0
    blue = red.roll(tiny.BLUE)
    patches = torch.zeros(1 + 16, tiny.WIDTH, dtype=torch.float64)
    # A pixel of one colour is half as much the opposite of the other one.
    patches[1 + 5] = layer_norm(red - blue / 2, width)
    patches[1 + 12] = layer_norm(blue - red / 2, width)
    patches.requires_grad_()
    v = layer_norm(patches.mean(0), width) + 0.1 * red.roll(tiny.GREY)
    score = math.exp(3) * torch.cosine_similarity(v, red, 0)
    (gradient,) = torch.autograd.grad(score, patches)
    expected = (patches.detach() * gradient).sum(1)[1:].reshape(1, 4, 4)
    torch.testing.assert_close(cam.values[0].double(), expected, rtol=1e-2, atol=1e-3)
    assert expected[0, 1, 1] > 0.1 and expected[0, 3, 0] < -0.1


# Frames as the processor of the folder makes them

CLIP = {
    "image_processor_type": "CLIPImageProcessor",
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "size": {"shortest_edge": 224},
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
}
SIGLIP = {
    "image_processor_type": "SiglipImageProcessor",
    "size": {"height": 224, "width": 224},
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "resample": 3,
}
XCLIP = {
    "feature_extractor_type": "VideoMAEFeatureExtractor",
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "size": {"shortest_edge": 224},
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "resample": 2,
}
# Of openai/clip-vit-base-patch32, google/siglip-base-patch16-224 and microsoft/xclip-base-patch32.
PUBLISHED = {"CLIP": CLIP, "Siglip": SIGLIP, "XCLIP": XCLIP}
CLASSES = {"CLIP": "CLIP", "Siglip": "Siglip", "XCLIP": "VideoMAE"}


@pytest.mark.parametrize("kind", PUBLISHED)
def test_frames_of_published_settings_are_those_of_their_processor(
    kind: str, tmp_path: Path
) -> None:
    assumed = published_preprocess(kind, tmp_path)
    tiny.write_processor(tmp_path, **PUBLISHED[kind])
    preprocess = published_preprocess(kind, tmp_path)
    assert assumed == preprocess  # without the file it is the same
    processor = getattr(transformers, f"{CLASSES[kind]}ImageProcessor").from_dict(PUBLISHED[kind])
    rng = np.random.default_rng(0)
    for height, width in ((479, 641), (640, 358)):
        picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        found = preprocess.tensor(preprocess.frame(picture)[None, None])[0, :, 0]
        expected = processor([picture], return_tensors="pt")["pixel_values"]
        expected = torch.as_tensor(expected).reshape(3, 224, 224)
        levels = (found - expected).abs() * 255 * torch.tensor(preprocess.std).reshape(3, 1, 1)
        assert levels.max() < 1e-3


def published_preprocess(kind: str, folder: Path) -> Preprocess:
    """Of a folder with pictures of 224 pixels."""
    if not (folder / "config.json").exists():
        network = tiny.tiny_network(kind)
        network.config.vision_config.image_size = 224
        network.config.save_pretrained(folder)
        tiny.tokenizer(kind).save_pretrained(folder)
    return text_spec(str(folder), TextConfig("cup")).preprocess


def test_siglip_2_of_any_size_gets_a_square_of_as_many_patches(tmp_path: Path) -> None:
    tiny.save("Siglip2", tmp_path)
    tiny.write_processor(
        tmp_path,
        image_processor_type="Siglip2ImageProcessor",
        do_resize=True,
        patch_size=PATCH,
        max_num_patches=16,
    )
    model = load_model(tmp_path, text="cup")
    assert model.preprocess.resize == model.preprocess.crop == (SIDE, SIDE)


def test_siglips_own_tokenizer(tmp_path: Path) -> None:
    """Of a file of SentencePiece, which writes small letters and leaves out punctuation."""
    sentencepiece = pytest.importorskip("sentencepiece")
    tiny.save("Siglip", tmp_path)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / file).unlink()
    words = tmp_path / "words.txt"
    words.write_text("a red ball\na blue ball\nthis is a photo of two dogs\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(words),
        model_prefix=str(tmp_path / "spiece"),
        vocab_size=40,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    made = transformers.SiglipTokenizer(str(tmp_path / "spiece.model"))
    made.save_pretrained(tmp_path)
    model = load_model(tmp_path, text=["A red ball!", "two dogs"], text_template="{}")
    other = load_model(tmp_path, text=["a red ball", "two dogs"], text_template="{}")
    torch.testing.assert_close(model.module.texts, other.module.texts)
    assert (model.module.texts[0] - model.module.texts[1]).norm() > 1e-3
