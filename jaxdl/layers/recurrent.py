"""Recurrent layers: RNN, GRU and LSTM, deep, in both directions, over sequences of any length."""

from typing import Any

import jax
from flax import nnx

from jaxdl import _checks
from jaxdl.errors import explain
from jaxdl.initializers import Initializer, orthogonal, xavier, zeros
from jaxdl.kernels import recurrent
from jaxdl.layers._recurrent_cell import Cell, Convention, Starts
from jaxdl.layers._recurrent_stack import RecurrentStack

ACTIVATIONS = ("tanh", "relu")
RESETS = ("after", "before", None)
UPDATES = ("state", "candidate")


class RNN(RecurrentStack):
    """Simple recurrent network: ``h_t = g(x_t W + h_{t-1} U + b)``, outputs h_t.

    What RNN, `GRU`, `LSTM` and `Recurrent` have in common: they map sequences (batch, time, in) to
    ``outputs, carry``. The outputs are (batch, time, directions x features); `last_step` takes the last of
    them. The carry is that behind the last valid step, h (batch, features), or (h, c) of an LSTM; of several
    layers or directions it is a tuple of those, by layer and within a layer forward, backward. Handed in
    again with the next piece of the sequences, it goes on as if they had never been cut; for truncated
    backpropagation through time stop its gradient, ``jax.lax.stop_gradient(carry)``. (A backward direction
    would have to begin with the last piece, so pieces make sense in one direction only.)

    With `lengths`, what stands behind the valid steps changes neither outputs nor gradients, NaN included;
    outputs there are 0. Traced lengths out of range make the outputs of that example NaN.

    Args:
        in_features: size of the last axis of the input.
        features: size of h.
        num_layers: layers, each running over the outputs of the one before.
        bidirectional: run each layer also from the last valid step to the first, with weights of its own;
            outputs are [forward; backward].
        dropout: rate between two layers, as `Dropout` takes it: a number in [0, 1), or the name of a
            hyperparameter. Nothing is dropped behind the last layer, nor from step to step.
        layer_norm: normalise the outputs of every layer over their features, ``gamma (y - mean) / sqrt(var +
            1e-5) + beta``, each step for itself. The carry is not normalised, nor what is inside the cell: a
            cell of your own that does so goes into `Recurrent`.
        activation: g, ``"tanh"`` or ``"relu"``.
        kernel_init: initialiser of W, (in, features) for every gate; Xavier by default.
        recurrent_init: initialiser of U, (features, features) for every gate; orthogonal by default.
        bias_init: initialiser of b; zeros by default. `initializers.library_default` ("torch",
            inputs=features) for all three draws what torch draws.
        implementation: formulation of `jaxdl.kernels.recurrent`; None chooses by platform and shape.
        rngs: the random streams of the constructor.

    Raises:
        ValueError: a number or a choice out of range, a length below 1 (0 with a carry) or beyond time.
        ShapeError: input, lengths or carry of another shape or structure.
        DtypeError: input that is not floating, lengths that are no integers, sizes that are not whole.

    Example:
        >>> import jax.numpy as jnp
        >>> layer = RNN(3, 4, rngs=nnx.Rngs(0))
        >>> outputs, h = layer(jnp.ones((2, 5, 3)), lengths=jnp.array([5, 2]))
        >>> outputs.shape, bool((outputs[1, 1] == h[1]).all()), float(outputs[1, 2:].max())
        ((2, 5, 4), True, 0.0)

    Reference:
        Elman (1990). Equals ``torch.nn.RNN``, whose two biases are summed.
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float | jax.Array | str = 0.0,
        layer_norm: bool = False,
        activation: str = "tanh",
        kernel_init: Initializer | None = None,
        recurrent_init: Initializer | None = None,
        bias_init: Initializer | None = None,
        implementation: str | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        _checks.one_of("RNN", "activation", activation, ACTIVATIONS)
        options = (("activation", activation), ("implementation", implementation))
        convention = Convention(recurrent.rnn, 1, options)
        super().__init__(
            _maker(convention, features, kernel_init, recurrent_init, bias_init), in_features, features,
            num_layers=num_layers, bidirectional=bidirectional, dropout=dropout, layer_norm=layer_norm,
            rngs=rngs,
        )  # fmt: skip


class GRU(RecurrentStack):
    """Gated recurrent unit, full or as the texts print it, in any of the conventions.

    ``r, z = sigmoid(x W + h U + b)``. The candidate is ``n = tanh(x W + b + r * (h U + b'))`` with
    ``reset="after"``, ``tanh(x W + (r * h) U + b)`` with ``"before"``, ``tanh(x W + h U + b)`` with None. The
    new state is ``(1 - z) n + z h`` with ``update="state"``, ``z n + (1 - z) h`` with ``"candidate"``.
    `RNN` says what the outputs, the carry and `lengths` are.

    Args:
        in_features: size of the last axis of the input.
        features: size of h.
        num_layers: layers, each running over the outputs of the one before.
        bidirectional: run each layer in both directions; outputs are [forward; backward].
        dropout: rate between two layers, a number or the name of a hyperparameter.
        layer_norm: normalise the outputs of every layer over their features.
        reset: where the reset gate acts: ``"after"`` the product with U, as in torch, ``"before"`` it, as in
            the papers, or None: there is none.
        update: what the update gate is the share of: the old ``"state"``, as in Cho et al. and torch, or the
            ``"candidate"``, as in Chung et al. and the texts.
        kernel_init: initialiser of W, for every gate; Xavier by default.
        recurrent_init: initialiser of U, for every gate; orthogonal by default.
        bias_init: initialiser of b, and of b' of ``reset="after"``; zeros by default.
        implementation: formulation of `jaxdl.kernels.recurrent`; None chooses by platform and shape.
        rngs: the random streams of the constructor.

    Raises:
        ValueError: a number or a choice out of range, a length below 1 (0 with a carry) or beyond time.
        ShapeError: input, lengths or carry of another shape or structure.
        DtypeError: input that is not floating, lengths that are no integers, sizes that are not whole.

    Example:
        >>> import jax.numpy as jnp
        >>> layer, x = GRU(3, 4, rngs=nnx.Rngs(0)), jnp.linspace(-1, 1, 12).reshape(1, 4, 3)
        >>> _, whole = layer(x)
        >>> _, carry = layer(x[:, :2])
        >>> _, after = layer(x[:, 2:], carry=jax.lax.stop_gradient(carry))
        >>> bool(abs(after - whole).max() < 1e-6)
        True

    Reference:
        Cho et al. (2014); Chung et al. (2014). The defaults equal ``torch.nn.GRU``; ``reset="before"`` equals
        ``keras.layers.GRU(reset_after=False)``.
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float | jax.Array | str = 0.0,
        layer_norm: bool = False,
        reset: str | None = "after",
        update: str = "state",
        kernel_init: Initializer | None = None,
        recurrent_init: Initializer | None = None,
        bias_init: Initializer | None = None,
        implementation: str | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        _checks.one_of("GRU", "reset", reset, RESETS)
        _checks.one_of("GRU", "update", update, UPDATES)
        options = (("reset", reset), ("update", update), ("implementation", implementation))
        convention = Convention(
            recurrent.gru, 2 if reset is None else 3, options, recurrent_bias=reset == "after"
        )
        super().__init__(
            _maker(convention, features, kernel_init, recurrent_init, bias_init), in_features, features,
            num_layers=num_layers, bidirectional=bidirectional, dropout=dropout, layer_norm=layer_norm,
            rngs=rngs,
        )  # fmt: skip

    @classmethod
    def textbook(cls, in_features: int, features: int, *, rngs: nnx.Rngs, **options: Any) -> "GRU":
        """Return the GRU of the texts: no reset gate, ``u = sigmoid(...)``, ``c = u c~ + (1 - u) c``.

        Args:
            in_features: size of the last axis of the input.
            features: size of c.
            options: what else `GRU` takes.
            rngs: the random streams of the constructor.

        Returns:
            ``GRU(..., reset=None, update="candidate")``.

        Example:
            >>> layer = nnx.eval_shape(lambda: GRU.textbook(3, 4, rngs=nnx.Rngs(0)))
            >>> layer.layers[0].forward.input.shape
            (3, 8)
        """
        return cls(in_features, features, reset=None, update="candidate", rngs=rngs, **options)


class LSTM(RecurrentStack):
    """Long short-term memory, as the libraries have it or as the texts print it.

    ``i, f, o = sigmoid(x W + h U + b)``, ``g = tanh(x W + h U + b)``, ``c' = f c + i g``, ``h' = o tanh(c')``
    are the new carry.
    With ``output_tanh=False`` ``h' = o c'``; with `coupled` ``f = 1 - i``; with `peephole` the gates i and f
    also see ``c * p``, and o sees ``c' * p``. `RNN` says what the outputs, the carry and `lengths` are.

    Args:
        in_features: size of the last axis of the input.
        features: size of h and c.
        num_layers: layers, each running over the outputs of the one before.
        bidirectional: run each layer in both directions; outputs are [forward; backward].
        dropout: rate between two layers, a number or the name of a hyperparameter.
        layer_norm: normalise the outputs of every layer over their features.
        output_tanh: whether the memory goes through tanh on its way out.
        peephole: whether the gates look at the memory, through weights p that start at 0.
        coupled: whether the forget gate is what the input gate leaves.
        forget_bias: added to the bias of the forget gate at the start; 1 lets gradients pass from the first
            step of training on.
        kernel_init: initialiser of W, for every gate; Xavier by default.
        recurrent_init: initialiser of U, for every gate; orthogonal by default.
        bias_init: initialiser of b; zeros by default.
        implementation: formulation of `jaxdl.kernels.recurrent`; None chooses by platform and shape.
        rngs: the random streams of the constructor.

    Raises:
        ValueError: a number or a choice out of range, a forget bias without a forget gate, a length below 1
            (0 with a carry) or beyond time.
        ShapeError: input, lengths or carry of another shape or structure.
        DtypeError: input that is not floating, lengths that are no integers, sizes that are not whole.

    Example:
        >>> import jax.numpy as jnp
        >>> make = lambda: LSTM(3, 4, num_layers=2, bidirectional=True, rngs=nnx.Rngs(0))(jnp.ones((2, 5, 3)))
        >>> outputs, carry = nnx.eval_shape(make)
        >>> outputs.shape, len(carry), [part.shape for part in carry[0]]
        ((2, 5, 8), 4, [(2, 4), (2, 4)])

    Reference:
        Hochreiter and Schmidhuber (1997); Gers, Schraudolph and Schmidhuber (2002) for peepholes; Jozefowicz,
        Zaremba and Sutskever (2015) for the forget bias. The defaults equal ``torch.nn.LSTM``.
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float | jax.Array | str = 0.0,
        layer_norm: bool = False,
        output_tanh: bool = True,
        peephole: bool = False,
        coupled: bool = False,
        forget_bias: float = 0.0,
        kernel_init: Initializer | None = None,
        recurrent_init: Initializer | None = None,
        bias_init: Initializer | None = None,
        implementation: str | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        for name, value in (("output_tanh", output_tanh), ("peephole", peephole), ("coupled", coupled)):
            _checks.one_of("LSTM", name, value, (False, True))
        _checks.in_range("LSTM", "forget_bias", forget_bias, -1e30, 1e30, "[-1e30, 1e30)")
        if coupled and forget_bias:
            raise ValueError(
                explain("LSTM", "forget_bias", got=forget_bias, fix="forget_bias=0",
                        expected="0 where coupled=True: there is no forget gate of its own")
            )  # fmt: skip
        options = (("output_tanh", output_tanh), ("coupled", coupled), ("implementation", implementation))
        gates = 3 if coupled else 4
        convention = Convention(recurrent.lstm, gates, options, memory=True, peepholes=(gates - 1) * peephole,
                    forget_bias=float(forget_bias))  # fmt: skip
        super().__init__(
            _maker(convention, features, kernel_init, recurrent_init, bias_init), in_features, features,
            num_layers=num_layers, bidirectional=bidirectional, dropout=dropout, layer_norm=layer_norm,
            rngs=rngs,
        )  # fmt: skip

    @classmethod
    def textbook(cls, in_features: int, features: int, *, rngs: nnx.Rngs, **options: Any) -> "LSTM":
        """Return the LSTM of the texts: ``a = o * c``, without tanh.

        Args:
            in_features: size of the last axis of the input.
            features: size of a and c.
            options: what else `LSTM` takes.
            rngs: the random streams of the constructor.

        Returns:
            ``LSTM(..., output_tanh=False)``.

        Example:
            >>> layer = nnx.eval_shape(lambda: LSTM.textbook(3, 4, rngs=nnx.Rngs(0)))
            >>> layer.layers[0].forward.input.shape
            (3, 16)
        """
        return cls(in_features, features, output_tanh=False, rngs=rngs, **options)


def _maker(
    convention: Convention,
    features: int,
    kernel_init: Initializer | None,
    recurrent_init: Initializer | None,
    bias_init: Initializer | None,
) -> Any:
    name = convention.run.__name__.upper()
    implementation = dict(convention.options)["implementation"]
    _checks.one_of(name, "implementation", implementation, (None, *recurrent.IMPLEMENTATIONS))
    starts = Starts(kernel_init or xavier(), recurrent_init or orthogonal(), bias_init or zeros())
    return lambda inputs, rngs: Cell(convention, inputs, features, starts=starts, rngs=rngs)
