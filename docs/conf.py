"""How the handbook is built: `make docs`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "hvsdk"
author = "The hvsdk maintainers"
copyright = author

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
add_module_names = False
suppress_warnings = ["ref.python"]  # a field called `type` is not the builtin that an annotation means
napoleon_include_init_with_doc = False
toc_object_entries_show_parents = "hide"
maximum_signature_line_length = 100

html_theme = "furo"
html_title = "hvsdk"
html_copy_source = False
html_show_sphinx = False


def setup(app: Sphinx) -> None:
    """Read single backticks in docstrings as code, as in the Markdown pages."""
    app.connect("autodoc-process-docstring", _backticks_are_code, priority=100)


def _backticks_are_code(_app: Sphinx, _what: str, _name: str, _obj: object, _options: object, lines: list[str]) -> None:
    text = re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", "\n".join(lines))
    lines[:] = text.split("\n")
