"""Blocks of the documents that no test runs, and why; each is named by its first line.

Commands of video_cam in these blocks are parsed all the same: their options exist and their values
fit together.
"""

from __future__ import annotations

GPU = "needs a CUDA device"
MACHINES = "needs several machines, or GPUs"
DOWNLOAD = "downloads weights or sources"
INSTALLS = "installs packages"
OWN_FILES = "takes files of the reader's own; tests of the command cover the options"
HOURS = "takes minutes to hours; tests/benchmarks and tests/models3d run the same code on less"
FORMULA = "is a formula, or a list of files"
OTHER_TOOL = "opens another tool; tests/export read the file as that tool does"
GATE = "is what runs the tests"
CHECKOUTS = "needs the repository; tests/test_known_repositories.py runs it where it is at hand"

UNRUN: dict[str, dict[str, str]] = {
    "CONTRIBUTING.md": {
        ".ci/run": GATE,
        "pip install -r requirements-dev.txt && pytest": GATE,
        "cli/main.py  batch/runner.py  pipeline.py  explanation/explainer.py  "
        "explanation/window_runner.py": FORMULA,
        "pipeline.py  rendering/renderer.py  rendering/overlay.py  rendering/heat.py  "
        "explanation/blending.py": FORMULA,
    },
    "docs/app.md": {
        "pip install 'video-cam[app]'": "starts a server; tests/app use it",
        "video-cam app --use-cuda --output-dir results": "starts a server; tests/app use it",
    },
    "docs/benchmark.md": {
        "python -m video_cam.benchmark --motion --clips 50": HOURS,
        "python -m video_cam.benchmark --frames --clips 50": HOURS,
        "python -m video_cam.benchmark --methods gradcam --layers layer4 --align probe": HOURS,
        "python -m video_cam.benchmark --clips 50 --methods occlusion rise --detail none": HOURS,
        "python -m video_cam.benchmark --peers --layers layer4 --output-dir DIR": HOURS,
    },
    "docs/clusters.md": {
        "python run_video_cam.py --clip clips/ --output-dir results": MACHINES,
        "CUDA_VISIBLE_DEVICES=0 python run_video_cam.py --clip clips/ --output-dir results "
        "--use-cuda &": MACHINES,
        "pip install -r requirements-ray.txt": MACHINES,
        "python run_video_cam.py --clip long.mp4 --output-dir results --engine ray --spread "
        "--use-cuda": MACHINES,
        "python run_video_cam.py --clip list.txt --output-dir /shared/results \\": MACHINES,
        "#!/bin/bash": MACHINES,
    },
    "docs/command.md": {
        "python run_video_cam.py --clip a.mp4 b.gif photo.jpg frames/ 'more/*.mkv'": OWN_FILES,
        "video-cam export gif outputs/spin --from 0.5 --to 1.5": "tests/export run all formats",
    },
    "docs/export.md": {
        "video-cam export nifti outputs/echo --spacing 0.31 0.31 --with-frames": OWN_FILES,
        "video-cam export coco outputs --threshold 0.5 --of peak --frames": OWN_FILES,
        "video-cam export rerun outputs/spin": OTHER_TOOL,
        "video-cam export fiftyone outputs --name my_clips": OTHER_TOOL,
        "video-cam export wandb outputs --project actions": OTHER_TOOL,
        'video_cam.export.log_to_wandb(run, "outputs/spin")': OTHER_TOOL,
        "from video_cam.export import ExplainCallback": OTHER_TOOL,
    },
    "docs/ground-truth.md": {
        "python run_video_cam.py --clip data/ --truth folders --weights my.pth --output-dir "
        "runs/first": OWN_FILES,
        "python -m video_cam.compare runs/first runs/second --output-dir comparison": OWN_FILES,
    },
    "docs/methods.md": {
        "map(cell) = mean over the boxes b that cover the cell of S(x) - S(x_b)": FORMULA,
        "map(cell) = sum_i (S_i - mean S) (m_i(cell) - p) / ((n - 1) p (1 - p))": FORMULA,
    },
    "docs/networks.md": {
        "python -m benchmarks.truth.random_networks --networks 300": HOURS,
        "python -m benchmarks.networks --checkouts FOLDER [--only NAME ...] [--json FILE]": HOURS,
    },
    "docs/questions.md": {
        "python run_video_cam.py --clip v.mp4 --motion-test": OWN_FILES,
        "motion_share = (score - frozen_best) / (score - still), cut off at 0 and 1": FORMULA,
        "map at a frame = motion part + appearance part": FORMULA,
        "python run_video_cam.py --clip v.mp4 --frame-test": OWN_FILES,
    },
    "docs/speed.md": {'pytest -k "other_device or test_device"': GATE},
    "docs/transformers.md": {
        "python run_video_cam.py --clip v.mp4 --model transformer3d --method "
        "attention-gradient": OWN_FILES,
        "python run_video_cam.py --clip v.mp4 --model MCG-NJU/videomae-base-finetuned-kinetics "
        "--method attention-gradient": DOWNLOAD,
        'python run_video_cam.py --clip v.mp4 --text "pouring water" "holding a cup"': DOWNLOAD,
    },
    "docs/your-own-network.md": {
        "pip install 'video-cam[onnx]'    # or onnxruntime; onnxruntime-gpu in its place for "
        "CUDA": OWN_FILES,
        "pip install transformers    # --model path/to/folder, or owner/name on the hub": INSTALLS,
        "python run_video_cam.py --clip v.mp4 --model pytorchvideo.models.hub:slowfast_r50 "
        "\\": DOWNLOAD,
        "python run_video_cam.py --clip v.mp4 --model mmaction:tsn_r50.py --weights "
        "epoch_100.pth \\": DOWNLOAD,
        "python run_video_cam.py --clip v.mp4 --model slowfast:SLOWFAST_8x8_R50.yaml \\": DOWNLOAD,
    },
    "docs/video-files.md": {
        "python -m benchmarks.truth.cuts one.mp4 two.mp4 three.mp4 --skip two.mp4=8-9.8": OWN_FILES,
    },
    "models3d/README.md": {
        "python -m models3d.train": HOURS,
        "for seed in 0 1 2 3 4; do python -m models3d.train --seed $seed --output "
        "seed$seed.safetensors; done": HOURS,
        "python -m models3d.train --network texture3d": HOURS,
        "python -m models3d.train --network transformer3d": HOURS,
    },
}
# Lines of the documents that .ci/follow_readme.py follows, and does not run.
UNRUN_LINES = {
    "pip install": "the wheel is installed already",
    "pytest": GATE,
    "python run_video_cam.py --clip v.mp4 --use-cuda": GPU,
}
