"""How the documentation is built: `nox -s docs`."""

from __future__ import annotations

import re
from typing import Any

project = "numpynet and parity"
author = "the numpynet developers"
copyright = author

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "jupyter_execute"]
html_theme = "pydata_sphinx_theme"
html_title = project
html_theme_options = {"show_prev_next": True, "navigation_with_keys": False, "secondary_sidebar_items": ["page-toc"]}

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
# The tutorial is run anew by each build, and what it raises ends the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True
nb_output_stderr = "remove"  # TensorFlow greets there, whatever it is asked

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_type_aliases = {"Array": "Array", "Shape": "Shape", "State": "State"}
autodoc_default_options = {"members": True, "show-inheritance": True}
copybutton_prompt_text = "$ "

# `one: what it is` or `one, other: what they are`, where a docstring lists attributes or arguments
ENTRY = re.compile(r"([a-z_]\w*(?:, [a-z_]\w*)*): (\S.*)")


def restructured(_: Any, what: str, name: str, documented: Any, options: Any, lines: list[str]) -> None:
    """Makes reStructuredText of a docstring, in place: plain text with `names`, lists of entries and formulas."""
    found: list[str] = []
    entry = formula = example = False
    for line in lines:
        indented, text = line[:1] == " ", line.strip()
        example = bool(text) and (example or text.startswith(">>> "))
        if not text:
            found.append("")
            entry = False
        elif example:  # it is run, and what it prints compared, up to the next empty line
            found.append(text)
        elif indented and not entry:
            found += [] if formula else ["", "::", ""]
            formula = True
            found.append(line)
        elif indented:
            found.append(f"  {escaped(text)}")
        elif (match := ENTRY.fullmatch(text)) and (entry or not found or not found[-1]):
            entry, formula = True, False
            found.append(f"* **{escaped(match[1])}**: {escaped(match[2])}")
        else:
            found += [""] if entry or formula else []
            entry = formula = False
            found.append(escaped(text))
    lines[:] = found


def escaped(text: str) -> str:
    """The text with `names` as literals, and nothing else in it that has a meaning for reStructuredText."""
    literal, plain = re.compile(r"`([^`]+)`"), re.compile(r"([*|\\]|_(?!\w))")
    parts = literal.split(text)
    return "".join(f"``{part}``" if index % 2 else plain.sub(r"\\\1", part) for index, part in enumerate(parts))


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", restructured)
