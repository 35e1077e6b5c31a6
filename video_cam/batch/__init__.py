"""Many clips: jobs, locks, worker processes that may hang or crash, Ray, the run report.

May import: video_cam.pipeline, video_cam.rendering and what is below them.
"""
