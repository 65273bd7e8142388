"""The ten digits as bitmaps of 7 by 12, the codes that the first LeNet-5 gives to its classes.

Digits that look alike have codes that are alike, so that a sequence of ambiguous digits can be corrected by
what it may mean; all differ from each other in at least 10 of the 84 pixels.
"""

import numpy as np

_ROWS = """
.......  .......  .......  .......  .......  .......  .......  .......  .......  .......
..###..  ...##..  .#####.  .#####.  .....##  #######  ..####.  #######  .#####.  .#####.
.##.##.  ..###..  ##...##  ##...##  ....###  ##.....  .##....  ##...##  ##...##  ##...##
##...##  .####..  .....##  .....##  ...####  ##.....  ##.....  .....##  ##...##  ##...##
##...##  ...##..  .....##  .....##  ..##.##  ##.....  ##.....  ....##.  ##...##  ##...##
##...##  ...##..  ....##.  ..####.  .##..##  ######.  ######.  ....##.  .#####.  ##...##
##...##  ...##..  ...##..  .....##  ##...##  .....##  ##...##  ...##..  ##...##  .######
##...##  ...##..  ..##...  .....##  #######  .....##  ##...##  ...##..  ##...##  .....##
##...##  ...##..  .##....  .....##  .....##  .....##  ##...##  ..##...  ##...##  .....##
.##.##.  ...##..  ##.....  ##...##  .....##  ##...##  ##...##  ..##...  ##...##  ....##.
..###..  .######  #######  .#####.  .....##  .#####.  .#####.  ..##...  .#####.  .####..
.......  .......  .......  .......  .......  .......  .......  .......  .......  .......
"""
_GRID = [line.split() for line in _ROWS.split("\n") if line]
DIGITS = tuple("\n".join(row[digit] for row in _GRID) for digit in range(10))


def digit_codes() -> np.ndarray:
    """Return the codes (10, 84), +1 for ink and -1 for paper, row by row."""
    signs = [[1.0 if pixel == "#" else -1.0 for pixel in bitmap.replace("\n", "")] for bitmap in DIGITS]
    return np.asarray(signs, np.float32)
