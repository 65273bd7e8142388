"""Style transfer: descent on the pixels of a picture, compiled as one program."""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxdl import _checks
from jaxdl.errors import DivergenceError, Interrupted
from jaxdl.net import Net
from jaxdl.receptive_field import layer_output
from jaxdl.style import _arguments
from jaxdl.style._distance import gram_distance
from jaxdl.style.losses import (
    CONTENTS,
    STYLES,
    VARIATIONS,
    content_loss,
    gram,
    total_variation,
)
from jaxdl.train.interrupt import StopSignal
from jaxdl.train.progress import STYLES as PROGRESS
from jaxdl.train.progress import Reporter

PROGRAMS_KEPT = 8
CHUNK_SECONDS = 0.25
TERMS = ("total", "content", "style", "variation")
Layers = Sequence[str] | Mapping[str, float]
Preprocess = Callable[[jax.Array], jax.Array]


class _Carry(NamedTuple):
    picture: jax.Array
    opt_state: Any
    history: jax.Array
    step: jax.Array


class _Plan(NamedTuple):
    """What is compiled in: everything else is traced."""

    content_layers: tuple[tuple[str, float], ...]
    style_layers: tuple[tuple[str, float], ...]
    normalisers: tuple[str, str, str]
    steps: int
    low: float
    high: float


@dataclasses.dataclass(frozen=True, eq=False)
class Transfer:
    """A picture made by `transfer`.

    Attributes:
        picture: (height, width, channels), within the range of pixels.
        history: terms by name, ``"total"``, ``"content"``, ``"style"`` and ``"variation"``, (steps + 1,):
            entry t is the term after t updates. They are J and its parts before alpha, beta and gamma.
        steps: updates taken.
        compile: seconds of compilation; near 0 when an earlier program was used.
        run: seconds of descent.
    """

    picture: np.ndarray
    history: dict[str, np.ndarray]
    steps: int
    compile: float
    run: float


def transfer(
    net: Net,
    params: Any,
    state: Any,
    content: Any,
    style: Any,
    *,
    content_layers: Layers,
    style_layers: Layers,
    alpha: float = 1.0,
    beta: float = 1.0,
    gamma: float = 0.0,
    content_normaliser: str = "mean",
    style_normaliser: str = "mean",
    variation: str = "absolute",
    start: str | Any = "content",
    steps: int = 300,
    optimizer: optax.GradientTransformation | None = None,
    key: jax.Array | None = None,
    preprocess: Preprocess | None = None,
    low: float = 0.0,
    high: float = 1.0,
    progress: str = "bar",
) -> Transfer:
    """Paint `content` in the style of `style`: ``J = alpha J_content + beta J_style + gamma TV``, minimised.

    J_content is the `content_loss` of the layers' outputs, J_style the `style_loss`, each weighted by layer
    and summed, and TV the `total_variation` of the picture. The network stays as it is; its pixels are
    what descends, held within [low, high] after every step. The defaults differ from Gatys et al. in their
    scale: theirs are ``content_normaliser="half"`` and ``style_normaliser="gatys"``.

    Args:
        net: a network of `jaxdl.net.functional` or `from_linen`; its outputs inside are the features.
        params: its parameters.
        state: its state.
        content: picture (height, width, channels), floating, within [low, high].
        style: picture of the style, of any height and width that the network takes.
        content_layers: paths of layers as `Net.trace` names them, of weight 1 / count each, or weights by
            path.
        style_layers: likewise.
        alpha: weight of the content.
        beta: weight of the style.
        gamma: weight of the total variation.
        content_normaliser: of `content_loss`.
        style_normaliser: of `style_loss`.
        variation: kind of `total_variation`.
        start: ``"content"``, ``"noise"`` (uniform within [low, high]), or a picture of the size of `content`.
        steps: updates.
        optimizer: an optax transformation; None: ``jaxdl.optim.adam(0.02)``.
        key: of the noise.
        preprocess: applied to a batch of pictures before the network, traced: ``lambda x: (x - mean) / std``.
        low: darkest pixel.
        high: brightest pixel.
        progress: ``"bar"``, ``"lines"`` or ``"off"``.

    Returns:
        The `Transfer`.

    Raises:
        TypeError: no network, or one without a trace.
        DtypeError: pictures that are not floating, no key where there is noise, or no optimizer.
        ShapeError: pictures of another rank or other channels, or layers without spatial axes.
        ValueError: unknown layers (the message names those there are), pixels or numbers out of range.
        DivergenceError: J left the finite numbers.
        Interrupted: Ctrl-C; the `Transfer` so far is in its `fitted`.

    Example:
        >>> from jaxdl.net import functional
        >>> from jaxdl.style.network import StyleFeatures, StyleFeaturesConfig
        >>> net = functional(lambda rngs: StyleFeatures(StyleFeaturesConfig(blocks=((4,),)), rngs=rngs))
        >>> rng = np.random.default_rng(0)
        >>> content, style = rng.random((2, 8, 8, 3), dtype=np.float32)
        >>> relu = ["blocks/0/layers/1"]
        >>> made = transfer(net, *net.init(jax.random.key(0)), content, style, content_layers=relu,
        ...                 style_layers=relu, steps=10, progress="off")
        >>> made.picture.shape, bool(made.history["style"][-1] < made.history["style"][0])
        ((8, 8, 3), True)

    Reference:
        Gatys, Ecker and Bethge, Image style transfer using convolutional neural networks (2016).
    """
    _arguments.check_net(net)
    for name, value, choices in (
        ("content_normaliser", content_normaliser, CONTENTS),
        ("style_normaliser", style_normaliser, STYLES),
        ("variation", variation, VARIATIONS), ("progress", progress, PROGRESS),
    ):  # fmt: skip
        _checks.one_of("transfer", name, value, choices)
    for name, weight in (("alpha", alpha), ("beta", beta), ("gamma", gamma)):
        _checks.in_range("transfer", name, weight, 0, float("inf"), "[0, inf)")
    steps = _checks.positive_integer("transfer", "steps", steps)
    content, style = (
        _arguments.picture(n, p, low, high) for n, p in (("content", content), ("style", style))
    )
    _arguments.check_channels(content, style)
    first = _arguments.first_picture(start, content, key, low, high)
    of_content = _arguments.layer_weights("content_layers", content_layers)
    of_style = _arguments.layer_weights("style_layers", style_layers)
    kinds = (content_normaliser, style_normaliser, variation)
    plan = _Plan(of_content, of_style, kinds, steps, float(low), float(high))
    rule = _arguments.rule(optimizer)
    weights = jnp.array([alpha, beta, gamma], content.dtype)
    targets = _targets_of(net, plan, preprocess)(params, state, content, style)
    carry = _Carry(first, rule.init(first), jnp.zeros((steps + 1, len(TERMS)), content.dtype), jnp.int32(0))
    return _descend(
        _advance_of(net, plan, rule, preprocess), carry, (params, state, targets, weights), steps, progress
    )


def _features(
    net: Net, plan: _Plan, preprocess: Preprocess | None, params: Any, state: Any, picture: jax.Array
) -> dict[str, jax.Array]:
    """Return the outputs of the layers for one picture, with a batch axis of 1."""
    x = picture[None] if preprocess is None else preprocess(picture[None])
    assert net.trace is not None
    outputs = net.trace(params, state, x, train=False)
    wanted = [path for path, _ in (*plan.content_layers, *plan.style_layers)]
    return {path: layer_output("transfer", outputs, path, 4) for path in wanted}


@functools.lru_cache(maxsize=PROGRAMS_KEPT)
def _targets_of(net: Net, plan: _Plan, preprocess: Preprocess | None) -> Any:
    def targets(params: Any, state: Any, content: jax.Array, style: jax.Array) -> Any:
        of_content, of_style = (
            _features(net, plan, preprocess, params, state, picture) for picture in (content, style)
        )
        features = {path: of_content[path] for path, _ in plan.content_layers}
        return features, {path: gram(of_style[path]) for path, _ in plan.style_layers}

    return jax.jit(targets)


@functools.lru_cache(maxsize=PROGRAMS_KEPT)
def _advance_of(net: Net, plan: _Plan, rule: Any, preprocess: Preprocess | None) -> Any:
    """Return ``advance(carry, stop, params, state, targets, weights) -> carry``, compiled for any `stop`."""

    def advance(carry: _Carry, stop: Any, params: Any, state: Any, targets: Any, weights: Any) -> _Carry:
        def cost(picture: jax.Array) -> tuple[jax.Array, jax.Array]:
            found = _features(net, plan, preprocess, params, state, picture)
            terms = jnp.stack(_terms(plan, found, targets, picture))
            total = jnp.sum(weights * terms)
            return total, jnp.concatenate([total[None], terms])

        def step(_: Any, carry: _Carry) -> _Carry:
            gradient, terms = jax.grad(cost, has_aux=True)(carry.picture)
            updates, opt_state = rule.update(gradient, carry.opt_state, carry.picture)
            moved = jnp.clip(optax.apply_updates(carry.picture, updates), plan.low, plan.high)
            # The turn after the last update only measures its picture.
            picture = jnp.where(carry.step < plan.steps, moved, carry.picture)
            history = lax.dynamic_update_slice(carry.history, terms[None], (carry.step, 0))
            return _Carry(picture, opt_state, history, carry.step + 1)

        return lax.fori_loop(carry.step, stop, step, carry)

    return jax.jit(advance)


def _terms(plan: _Plan, found: Any, targets: Any, picture: jax.Array) -> list[jax.Array]:
    """Return J_content, J_style and the total variation of one picture."""
    (features, grams), (of_content, of_style, variation) = targets, plan.normalisers
    content = [
        weight * content_loss(found[path], features[path], normaliser=of_content)[0]
        for path, weight in plan.content_layers
    ]
    style = [
        weight * gram_distance(gram(found[path]), grams[path], of_style)[0]
        for path, weight in plan.style_layers
    ]
    zero = jnp.zeros((), picture.dtype)
    return [sum(content, zero), sum(style, zero), total_variation(picture[None], kind=variation)[0]]


class _Steps(Reporter):
    """The bar of `Reporter`, counting steps."""

    def steps(self, done: int, terms: Any) -> None:
        """Show that `done` steps are over, and the terms of the last one."""
        words = [f"{name} {value:.4g}" for name, value in zip(TERMS[1:], terms[1:])]
        if self.style == "lines":
            self.bar.console.print(f"step {done}  {'  '.join(words)}", highlight=False)
        self.status(words, done)


def _descend(advance: Any, carry: _Carry, constants: Any, steps: int, progress: str) -> Transfer:
    total, chunk = 0.0, 1
    with _Steps(progress, steps) as reporter:
        reporter.bar.update(reporter.task, description="step")
        begin = time.perf_counter()
        advance = advance.lower(carry, jnp.int32(1), *constants).compile()
        compile_s = time.perf_counter() - begin
        reporter.compiled(compile_s)
        with StopSignal(op="transfer") as stop:
            while (done := int(carry.step)) <= steps and stop.name is None:
                begin, until = time.perf_counter(), min(done + chunk, steps + 1)
                after = jax.block_until_ready(advance(carry, jnp.int32(until), *constants))
                seconds = time.perf_counter() - begin
                history = np.asarray(after.history)[:until]
                _check_finite(history, carry)
                carry, total = after, total + seconds
                reporter.steps(min(until, steps), history[-1])
                chunk = max(1, round(CHUNK_SECONDS * (until - done) / seconds))
    made = Transfer(
        np.asarray(carry.picture), dict(zip(TERMS, history.T)), min(until, steps), compile_s, total
    )
    if until <= steps:
        raise Interrupted(
            f"transfer: {stop.name} stopped the run after step {until} of {steps}. The picture so far is in "
            "`error.fitted.picture`. Fix: go on with start=error.fitted.picture",
            fitted=made, epoch=until,
        )  # fmt: skip
    return made


def _check_finite(history: np.ndarray, before: _Carry) -> None:
    bad = np.flatnonzero(~np.isfinite(history).all(axis=1))
    if bad.size:
        terms = ", ".join(f"{name} {value:g}" for name, value in zip(TERMS, history[bad[0]]))
        raise DivergenceError(
            f"transfer: the run diverged at step {bad[0]}: {terms}. The picture of step {int(before.step)} "
            "is in `error.last_good`. Fix: lower the learning rate, or look for NaN in the parameters",
            step=int(bad[0]), epoch=0, cause="loss", last_good=np.asarray(before.picture),
        )  # fmt: skip
