"""How the site is built: `sphinx-build -W --keep-going docs site`.

Sphinx, because it reads the docstrings there are, is kept up, and knows what is a broken link
between pages; MkDocs has had no release since 2024, and its successor is not at 1.0 yet.
"""

import re
from importlib.metadata import version as installed

project = "DartBlur"
author = "The DartBlur authors"
copyright = "2026, The DartBlur authors"  # noqa: A001 - Sphinx's name
release = installed("dartblur")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "DartBlur"
nitpicky = False

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# The notebook is kept without outputs; each build runs it, and fails where it does.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True

# What stands in single backticks in docstrings is code.
default_role = "literal"


def _as_paragraphs(app, what, name, obj, options, lines):
    """Gives each `name: what it is` of a docstring a paragraph, without its hanging indent."""
    out, held = [], False
    for line in lines:
        if re.match(r"[a-z_][a-z_, ]*: ", line):
            out.append("")
            held = True
        elif not line.strip() or not line.startswith(" "):
            held = held and bool(line.strip())
        elif held:
            line = line.strip()
        out.append(line)
    lines[:] = out


def setup(app):
    """Sphinx's hook; before napoleon, which reads `Example:` and `Raises:`."""
    app.connect("autodoc-process-docstring", _as_paragraphs, priority=400)
