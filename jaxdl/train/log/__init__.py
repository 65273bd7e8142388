"""Metrics of a run on disk: one record an epoch, as JSON lines, CSV or TensorBoard events.

A writer goes into ``fit(..., log=...)``, or is called by hand. What it writes follows from the history alone:
two runs that record the same numbers write the same JSON lines and the same CSV, byte by byte, however they
were cut into chunks or interrupted. The files are appended to after every chunk, and forced to the disk at
the end.
"""

from .choice import writers as writers
from .events import TensorBoard as TensorBoard
from .reading import read as read
from .text import CSV as CSV
from .text import JSONLines as JSONLines
from .writer import Writer as Writer
