"""Does what the front page says, in order, with the installed wheel, and looks at what is written.

    python .ci/follow_readme.py PROJECT

The current folder is a new one: it gets the clips and run_video_cam.py, as they lie in a checkout.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

TABLE_ROW = re.compile(r"^\| (`.*?) \|", re.MULTILINE)
QUOTE = re.compile(r'"([^"]+)\."')


def main(project: Path) -> int:
    """Returns: the exit status, 0 where all blocks run and write what the page promises."""
    sys.path.insert(0, str(project))
    from tests.support.documents import Block, blocks, shell_lines
    from tests.support.unrun_blocks import UNRUN_LINES

    def run(block: Block) -> str:
        """What a block prints; ends the process where it fails."""
        if block.kind == "python":
            return check_output([sys.executable, "-c", block.text])
        parts = [part for line in shell_lines(block.text) for part in line.split(" && ")]
        chosen = [part for part in parts if not part.startswith(tuple(UNRUN_LINES))]
        return "".join(check_output(["bash", "-c", part]) for part in chosen)

    shutil.copytree(project / "clips", "clips")
    shutil.copy(project / "run_video_cam.py", ".")
    readme = (project / "README.md").read_text(encoding="utf-8")
    printed = "".join(run(block) for block in blocks(readme))
    start = (project / "docs" / "index.md").read_text(encoding="utf-8")
    lines = {line for block in blocks(start) for line in shell_lines(block.text)}
    problems = [
        f"docs/index.md: {line!r} is not in the README" for line in lines if line not in readme
    ]
    for found in QUOTE.findall(section(readme, "## Questions")):
        quote = " ".join(found.split())
        if quote not in printed:
            problems.append(f"the README quotes {quote!r}, which no command printed")
    promised = re.findall(r"`([\w./]+)`", " ".join(TABLE_ROW.findall(section(readme, "## What"))))
    results = [path.parent for path in Path("outputs").glob("*/summary.json")]
    for folder in results:
        for name in promised:
            pattern = name.replace("NNNNNN", "*")
            if not list(folder.glob(pattern)):
                problems.append(f"{folder} has no {name}")
    print(f"{len(results)} results, {len(promised)} files in each")
    print(*problems, sep="\n", file=sys.stderr)
    return 1 if problems or not results or not promised else 0


def check_output(command: list[str]) -> str:
    """What a command prints, shown as well; ends the process where the command fails."""
    print("$", command[-1], flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    print(done.stdout, flush=True)
    if done.returncode:
        sys.exit(f"{command[-1]}: exit status {done.returncode}")
    return done.stdout


def section(text: str, heading: str) -> str:
    """The part of a document from the heading that starts so to the next one."""
    _, _, rest = text.partition(f"\n{heading}")
    return rest.partition("\n## ")[0]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
