"""The site: `make docs` builds it, without a network. What docs/_tools writes is made anew by every build."""

import logging
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_tools"), str(HERE.parent)]

import benchmarks  # noqa: E402
import docstrings  # noqa: E402
import gallery  # noqa: E402
import links  # noqa: E402
import mathml  # noqa: E402
import reference  # noqa: E402
import written  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402

import jaxdl  # noqa: E402

project = "jaxdl"
release = version = jaxdl.__version__
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "myst_nb"]
exclude_patterns = ["_build", "_tools"]
html_theme = "furo"
html_title = f"jaxdl {release}"
html_copy_source = False
html_show_copyright = False
smartquotes = False

# Names in single backquotes become links where they name something of ours; see _tools/docstrings.py.
default_role = "py:obj"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Reference"]
maximum_signature_line_length = 90
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"
add_module_names = False

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_execution_show_tb = True
html_math_renderer = "mathml"


def setup(app: Sphinx) -> None:
    """Write the pages that are generated, before Sphinx looks for pages, and settle how cells are run."""
    # The kernel of the quick start: with this checkout, without the user's own IPython profile, silent.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    os.environ["IPYTHONDIR"] = str(HERE / "_build" / "ipython")
    profile = HERE / "_build" / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    written.file(profile / "ipython_kernel_config.py", "c = get_config()\nc.IPKernelApp.log_level = 40\n")
    logging.getLogger("traitlets").setLevel(logging.WARNING)
    written.folder(HERE / "reference", reference.pages())
    written.file(HERE / "benchmarks.md", benchmarks.page())
    written.file(HERE / "gallery.md", gallery.page())
    app.connect("source-read", links.mend)
    app.connect("autodoc-process-docstring", docstrings.mend, priority=400)
    app.add_html_math_renderer("mathml", (mathml.inline, None), (mathml.block, None))
