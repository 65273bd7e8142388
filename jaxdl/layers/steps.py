"""The last step of a sequence."""

import jax
import jax.numpy as jnp

from jaxdl import _checks, _lengths
from jaxdl.errors import ShapeError, explain


def last_step(
    outputs: jax.Array, lengths: jax.Array | None = None, *, bidirectional: bool = False
) -> jax.Array:
    """Take what each sequence ends with: ``y[i] = outputs[i, lengths[i] - 1]``.

    A backward direction ends at the first step. So with `bidirectional` the first half of the features is
    taken at the last valid step, and the second half at step 0: each direction has then seen all steps.

    Args:
        outputs: (batch, time, features), such as a recurrent layer returns.
        lengths: valid steps of each, (batch,) integers in [1, time]; None: all.
        bidirectional: whether the features are [forward; backward].

    Returns:
        (batch, features); NaN for an example whose traced length lies out of range.

    Raises:
        ShapeError: `outputs` are not (batch, time, features), features are not even where `bidirectional`, or
            lengths are not (batch,).
        DtypeError: outputs that are not floating, or lengths that are no integers.
        ValueError: a length below 1 or beyond time.

    Example:
        >>> outputs = jnp.array([[[1.0, 9.0], [2.0, 8.0], [0.0, 0.0]]])
        >>> last_step(outputs, jnp.array([2])).tolist()
        [[2.0, 8.0]]
        >>> last_step(outputs, jnp.array([2]), bidirectional=True).tolist()
        [[2.0, 9.0]]

    Reference:
        The top of ``h_n`` of ``torch.nn.RNN``; bidirectional, ``torch.cat([h_n[-2], h_n[-1]], -1)``.
    """
    outputs = _checks.floating("last_step", "outputs", outputs)
    if outputs.ndim != 3 or outputs.shape[1] < 1 or (bidirectional and outputs.shape[2] % 2):
        raise ShapeError(
            explain("last_step", "outputs", got=f"of shape {outputs.shape}",
                    expected="(batch, time, features) with some time" + ", features even" * bidirectional,
                    fix="pass the outputs of a recurrent layer, not its carry")
        )  # fmt: skip
    if lengths is None:
        last = outputs[:, -1]
    else:
        valid = _lengths.checked("last_step", lengths, outputs.shape[:2])
        last = jnp.take_along_axis(outputs, (valid.steps - 1)[:, None, None], axis=1)[:, 0]
        last = last * valid.poison[:, None].astype(outputs.dtype)
    if not bidirectional:
        return last
    half = outputs.shape[2] // 2
    first = outputs[:, 0, half:]
    if lengths is not None:
        first = first * valid.poison[:, None].astype(outputs.dtype)
    return jnp.concatenate([last[:, :half], first], axis=-1)
