"""Hook of mkdocs: documents that lie outside of docs/ become pages of the site, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
PAGES = {
    "SECURITY.md": "SECURITY.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "models3d.md": "models3d/README.md",
}
# Links between documents as they are in the checkout -> as they are on the site.
LINKS = {
    "](../SECURITY.md": "](SECURITY.md",
    "](../models3d/README.md": "](models3d.md",
    "](../docs/": "](",  # in models3d/README.md
    "](docs/": "](",  # in SECURITY.md and CHANGELOG.md
    "](models3d/README.md": "](models3d.md",
    "[models3d/frame_lstm.py](../models3d/frame_lstm.py)": "`models3d/frame_lstm.py`",
    "[an example](notebook.ipynb)": "an example: `docs/notebook.ipynb`",
}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages from outside of docs/."""
    for name, source in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links as they are on the site; a link to a file that is no page becomes its path."""
    for written, on_site in LINKS.items():
        markdown = markdown.replace(written, on_site)
    return markdown
