"""Writing a report into a folder."""

from __future__ import annotations

import json
from pathlib import Path

from paymig.rehearsal.page.html import page
from paymig.rehearsal.page.picture import picture
from paymig.rehearsal.report import Report

PAGE, DATA, PICTURE = "rehearsal.html", "rehearsal.json", "rehearsal.png"


def write(report: Report, folder: Path) -> Path:
    """Write the page, the data and the picture; return the page's path. Files of these names are replaced.

    Raises:
        OSError: the folder can't be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DATA).write_text(json.dumps(report.to_json(), indent=2, default=str) + "\n")
    (folder / PICTURE).write_bytes(picture(report))
    (folder / PAGE).write_text(page(report))
    return folder / PAGE
