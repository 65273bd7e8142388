"""Which member sits where in the program, and where those are kept that have left it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl.train.spec import Carry
from jaxdl.train.sweeps.program import Form

UNKEPT = ("key", "order", "epoch")  # of no use once a member is over


class Population:
    """The slots of a program: members in training, those that are over, and padding.

    Attributes:
        ids: the member of each slot, (slots,); padding repeats the last one.
        real: which slots are no padding, (slots,).
        active: which slots hold a member that is in training, (slots,).
        carry: the state of all slots.
        hyper: hyperparameters (slots,) by name.
    """

    def __init__(self, ids: np.ndarray, members: int, carry: Carry, hyper: dict[str, jax.Array], form: Form):
        self.ids, self.members, self.form = ids, members, form
        self.real = np.arange(len(ids)) < members
        self.active = self.real.copy()
        self.carry, self.hyper = carry, hyper
        self._left: Carry | None = None

    def leave(self, slots: np.ndarray) -> None:
        """Note that the members of these slots, bool (slots,), are over; they keep their slots."""
        self.active = self.active & ~slots

    def compact(self) -> bool:
        """Move the active members to a program of half the slots or less, if they fit; tell whether."""
        parts = self.form.parts
        size = parts * slots(-(-int(self.active.sum()) // parts), self.form.width)
        if not self.active.any() or 2 * size > len(self.ids):
            return False
        self._keep()
        chosen = np.flatnonzero(self.active)
        index = np.pad(chosen, (0, size - len(chosen)), mode="edge")
        self.carry = self.form.place(taken(self.carry, index, self.form), self.form.axes)
        self.hyper = self.form.place({name: value[index] for name, value in self.hyper.items()}, 0)
        self.ids, self.real = self.ids[index], np.arange(size) < len(chosen)
        self.active = self.real.copy()
        return True

    def whole(self) -> Carry:
        """Return the state of all members in order, (members, ...); keys and order only if none ever left."""
        if self._left is None:
            return taken(self.carry, slice(self.members), self.form)
        self._keep()
        return jax.tree.map(jnp.asarray, self._left)

    def _keep(self) -> None:
        """Copy all slots to the host, so that what leaves them is not lost."""
        nothing: dict[str, Any] = dict.fromkeys(UNKEPT)
        bare = self.carry._replace(**nothing)
        rows = jax.tree.map(lambda leaf: np.asarray(leaf)[self.real], bare)
        if self._left is None:
            self._left = jax.tree.map(lambda row: np.empty((self.members, *row.shape[1:]), row.dtype), rows)
        where = self.ids[self.real]
        for kept, row in zip(jax.tree.leaves(self._left), jax.tree.leaves(rows), strict=True):
            kept[where] = row


def slots(members: int, width: int) -> int:
    """Return how many slots a number of members takes: a power of two, or whole blocks of them."""
    size = 1 << max(members - 1, 0).bit_length()
    return size if width == 1 or size <= width else -(-size // width) * width


def taken(carry: Carry, index: Any, form: Form) -> Carry:
    """Return the state of some slots, or of one; what all members share stays."""
    parts = {
        name: part if axis is None else jax.tree.map(lambda leaf: leaf[index], part)
        for (name, part), axis in zip(carry._asdict().items(), form.axes)
    }
    return Carry(**parts)
