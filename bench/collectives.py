"""What a compiled program sends between devices, read from its text."""

import math
import re
from typing import NamedTuple

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
WIDTHS = {"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "bf16": 2, "f16": 2, "s64": 8, "u64": 8, "f64": 8}
RESULT = re.compile(rf"= (?P<result>\(.*?\)|\S+) (?P<kind>{'|'.join(KINDS)})(?:-start)?\(")
ARRAY = re.compile(r"([a-z]+\d*)\[([\d,]*)\]")


class Collective(NamedTuple):
    """One operation between devices: its kind, what it gives on each device, and where it stands."""

    kind: str
    shapes: tuple[tuple[int, ...], ...]
    bytes: int
    source: str

    def sent(self, devices: int) -> float:
        """Bytes that a device sends where the devices stand in a ring."""
        part = (devices - 1) / devices
        share = {"all-reduce": 2 * part, "reduce-scatter": devices - 1, "collective-permute": 1.0}
        return self.bytes * share.get(self.kind, part)


def collectives(text: str) -> list[Collective]:
    """Read the operations between devices out of ``compiled.as_text()``."""
    found = []
    for line in text.splitlines():
        match = RESULT.search(line)
        if match is None:
            continue
        arrays = [(kind, tuple(map(int, filter(None, dims.split(","))))) for kind, dims in
                  ARRAY.findall(match["result"])]  # fmt: skip
        size = sum(WIDTHS.get(kind, 4) * math.prod(shape) for kind, shape in arrays)
        source = re.search(r'op_name="([^"]*)"', line)
        found.append(Collective(match["kind"], tuple(shape for _, shape in arrays), size,
                                source[1] if source else ""))  # fmt: skip
    return found
