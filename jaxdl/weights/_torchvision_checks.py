"""Whether a state dict, or a tree of ours, is that of a network: all differences at once, by name."""

import difflib
from collections.abc import Iterable, Mapping

from jaxdl.weights._torchvision_layers import NETWORKS, Shape, Sizes, state_dict

SHOWN = 4
COUNTER = ".num_batches_tracked"
_ALIKE = 0.5

Shapes = Mapping[str, Shape]


def sizes_of(name: str, shapes: Shapes, *, num_classes: int | None, auxiliary: bool) -> Sizes:
    """Return the sizes that a state dict seems to be of."""
    layers = list(NETWORKS[name](Sizes()))
    first, last = (shapes.get(f"{layer.name}.weight", ()) for layer in (layers[0], layers[-1]))
    classes = last[0] if len(last) == 2 else Sizes().num_classes
    channels = first[1] if len(first) == 4 else Sizes().in_channels
    return Sizes(classes if num_classes is None else num_classes, channels, auxiliary)


def differences(got: Shapes, expected: Shapes, *, optional: str | None = None) -> list[str]:
    """Return what distinguishes two sets of named shapes, in words; names ending in `optional` may lack."""
    missing = [name for name in expected if name not in got and not (optional and name.endswith(optional))]
    unknown = [name for name in got if name not in expected]
    misshaped = [name for name in expected if name in got and got[name] != expected[name]]
    found = []
    if missing:
        found.append(f"without {_listed(map(repr, missing), len(missing))}")
    if unknown:
        nearest = missing or list(expected)
        found.append(f"with unknown {_listed((_near(name, nearest) for name in unknown), len(unknown))}")
    if misshaped:
        told = (f"'{name}' {got[name]} where {expected[name]} is expected" for name in misshaped)
        found.append(f"with {_listed(told, len(misshaped))}")
    return found


def _listed(words: Iterable[str], count: int) -> str:
    shown = [word for word, _ in zip(words, range(SHOWN))]
    return ", ".join(shown) + (f" and {count - SHOWN} more" if count > SHOWN else "")


def _near(name: str, known: list[str]) -> str:
    found = difflib.get_close_matches(name, known, 1, 0.6)
    return f"'{name[:80]}'" + (f" (nearest: '{found[0]}')" if found else "")


def remedy(name: str, got: Shapes, expected: Shapes) -> str:
    """Return how to mend a state dict that is not that of the network `name`."""
    if heads := _heads(name, got, expected):
        new = repr(heads[0] if len(heads) == 1 else heads)
        return f"leave num_classes out, and draw a new head: net.start_from(net, params, state, new={new})"
    if (other := _lookalike(got)) not in (None, name):
        return f"it looks like '{other}': from_torchvision('{other}', ...)"
    if prefix := _prefix(got, expected):
        cut = f"name.removeprefix('{prefix}')"
        return f"the names begin with '{prefix}': pass {{{cut}: array for name, array in source.items()}}"
    return f"pass the state dict of torchvision.models.{name}"


def _heads(name: str, got: Shapes, expected: Shapes) -> list[str]:
    """Return where our heads are, if their number of outputs is all that distinguishes a state dict."""
    sizes = sizes_of(name, got, num_classes=None, auxiliary="aux1.fc1.weight" in expected)
    entries = state_dict(name, sizes)
    if differences(got, {key: entry.shape for key, entry in entries.items()}, optional=COUNTER):
        return []
    differing = (entry.layer.place for key, entry in entries.items() if entry.shape != expected[key])
    return list(dict.fromkeys("/".join(map(str, place)) for place in differing))


def _lookalike(got: Shapes) -> str | None:
    """Return the network that shares most names and shapes with a state dict, if it shares half of them."""
    shares = {other: _share(other, got) for other in NETWORKS}
    best = max(shares, key=lambda other: shares[other])
    return best if shares[best] >= _ALIKE else None


def _share(name: str, got: Shapes) -> float:
    sizes = sizes_of(name, got, num_classes=None, auxiliary="aux1.fc1.weight" in got)
    there = {
        (key, entry.shape) for key, entry in state_dict(name, sizes).items() if not key.endswith(COUNTER)
    }
    here = {item for item in got.items() if not item[0].endswith(COUNTER)}
    return len(there & here) / len(there | here)


def _prefix(got: Shapes, expected: Shapes) -> str:
    first = next(iter(expected))
    found = [name.removesuffix(first) for name in got if name.endswith(f".{first}")]
    return found[0] if found and all(name.startswith(found[0]) for name in got) else ""
