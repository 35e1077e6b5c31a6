"""Test files that take more than about five seconds, the longest first; they are run first."""

from __future__ import annotations

LONG_FILES = (
    "tests/batch/test_ray_engine.py",
    "tests/test_documents.py",
    "tests/models/test_torchvision.py",
    "tests/cli/test_main.py",
    "tests/batch/test_local.py",
    "tests/batch/test_local_stages_command.py",
    "tests/app/test_app.py",
    "tests/rendering/page/test_two_browsers.py",
    "tests/rendering/page/test_player.py",
    "tests/rendering/page/test_writer.py",
    "tests/rendering/page/test_gallery_files.py",
    "tests/rendering/page/test_gallery.py",
    "tests/rendering/page/test_stage.py",
    "tests/rendering/page/test_viewing.py",
    "tests/rendering/page/test_timeline.py",
    "tests/rendering/page/test_access.py",
    "tests/rendering/page/test_runs.py",
    "tests/rendering/page/test_policy.py",
    "tests/rendering/page/test_state.py",
    "tests/rendering/page/test_save.py",
    "tests/explanation/test_ground_truth.py",
    "tests/benchmarks/test_command.py",
    "tests/models/test_timm.py",
    "tests/test_pipeline_long_clips.py",
    "tests/test_pipeline.py",
    "tests/cli/test_startup.py",
    "tests/layers/test_cache.py",
    "tests/batch/test_report.py",
    "tests/cli/test_demo.py",
    "tests/test_doctor.py",
    "tests/test_config.py",
    "tests/attribution/test_parity.py",
    "tests/metrics/test_perturbation_check.py",
    "tests/metrics/test_randomization_check.py",
    "tests/models3d/test_class_cues.py",
    "tests/models3d/test_motion3d.py",
    "tests/models3d/test_texture3d.py",
    "tests/models3d/test_train.py",
    "tests/layers/test_pass_memory.py",
    "tests/layers/test_measured_layout.py",
    "tests/rendering/test_notebook.py",
    "tests/models/test_huggingface.py",
    "tests/models/test_text_networks.py",
    "tests/benchmarks/test_clip_overhead.py",
    "tests/benchmarks/test_gpu.py",
)
_RANKS = {path: rank for rank, path in enumerate(LONG_FILES)}


def rank(node_id: str) -> int:
    """The place of a test in the order: that of its file, all short files after the long ones."""
    return _RANKS.get(node_id.split("::")[0], len(LONG_FILES))
