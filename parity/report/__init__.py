"""The significance report: what was compared, what was shown, and what was not.

`write_report` builds one document from the records of one or many stacks and writes it as report.json; the other files
(report.html, report.md, junit.xml) are drawn from that document alone, so every number in them is a number in the JSON.
Neither torch nor TensorFlow is needed to read results.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parity.report.document import build
from parity.report.junit import junit
from parity.report.page import html, markdown
from parity.results.store import plain

__all__ = ["Summary", "write_report"]


@dataclass(frozen=True)
class Summary:
    """The report in brief.

    status: "held"; "partial": nothing is off, but something was left out for want of data or a framework, or there is
        no study; "inconclusive"; "different"; "invalid"; "incomplete": something that was planned is missing, crashed
        or was killed, or nobody planned the records
    exit_code: 0 held or partial, 1 different, 2 inconclusive, 3 invalid or incomplete
    headline: the one sentence that a reader came for
    not_compared: sentences on what was left out
    document: the contents of report.json
    """

    status: str
    exit_code: int
    headline: str
    not_compared: tuple[str, ...]
    document: dict[str, Any] = field(repr=False)


def write_report(folders: Iterable[str | os.PathLike[str]], out: str | os.PathLike[str]) -> Summary:
    """Write report.html, report.md, report.json and junit.xml on the results in `folders` to the folder `out`.

    Raises ResultsError where a folder does not exist or has another version of the results schema.
    """
    text = json.dumps(
        plain(build(list(map(Path, folders)))), allow_nan=False, ensure_ascii=False, separators=(",", ":")
    )
    document = json.loads(text)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    files = {
        "report.json": text + "\n",
        "report.md": markdown(document),
        "report.html": html(document),
        "junit.xml": junit(document),
    }
    for name, content in files.items():
        (out / name).write_text(content, encoding="utf-8")
    verdict = document["verdict"]
    return Summary(
        verdict["status"], verdict["exit_code"], verdict["headline"], tuple(document["not_compared"]), document
    )
