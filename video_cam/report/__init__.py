"""What a person looks at: contact sheet, timeline, inspection page, figure, gallery."""

from video_cam.report.figure import evenly, figure
from video_cam.report.gallery import write_gallery
from video_cam.report.page import FOLDER, thumbnail_name, write_page
from video_cam.report.sheet import contact_sheet
from video_cam.report.timeline import draw_timeline

__all__ = [
    "FOLDER",
    "contact_sheet",
    "draw_timeline",
    "evenly",
    "figure",
    "thumbnail_name",
    "write_gallery",
    "write_page",
]
