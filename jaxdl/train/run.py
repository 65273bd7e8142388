"""The pieces of a run: its start, one epoch of steps and validation, and its result."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxdl import _checks, optim
from jaxdl.errors import DtypeError, explain
from jaxdl.net import Net, Tree
from jaxdl.train import evaluation, health, stopping
from jaxdl.train.fetch import fetcher
from jaxdl.train.freeze import Freeze
from jaxdl.train.order import batch_order, steps_per_epoch
from jaxdl.train.parts import check_lengths, examples_of, strong
from jaxdl.train.spec import RESERVED, Arrays, Carry, Health, Hyper, Loss, Optimizer, Result, Spec, Step
from jaxdl.train.step import make_rule, make_step, prepared


@dataclasses.dataclass(frozen=True)
class Run:
    """The static parts of a run, and its pieces as pure functions; `make_program` says what each does."""

    net: Net
    loss: Loss
    optimizer: Optimizer | optax.GradientTransformation
    spec: Spec
    objective: Callable[..., Any]
    held: Freeze
    thorough: bool

    def start(self, key: jax.Array, order: jax.Array, data: Arrays, hyper: Hyper) -> Carry:
        """Return the state before the first epoch."""
        check_lengths(data)
        initial, key = jax.random.split(_checks.key("train", key))
        params, state = self.net.init(initial)
        hyper = strong(hyper)
        opt_state = make_rule(self.held, self.optimizer, hyper, self.spec).init(params)
        history = self._history(params, state, opt_state, data, hyper)
        nothing = Health(jnp.int32(-1), jnp.int32(0))
        carry = Carry(params, state, opt_state, key, order, jnp.int32(0), history, nothing)
        rule = self.spec.early_stopping
        if rule is not None:
            carry = carry._replace(stopping=stopping.start(rule, self._kept(carry)))
        return self.spec.layout.carry(carry)

    def advance(self, carry: Carry, stop: jax.Array | int, data: Arrays, hyper: Hyper) -> Carry:
        """Train up to epoch `stop`, a traced number, or until early stopping ends the run."""
        stop = jnp.asarray(stop, jnp.int32)
        if self.spec.early_stopping is None:
            body = partial(self.epoch, data=data, hyper=hyper)
            carry = lax.fori_loop(carry.epoch, stop, body, carry)
        else:
            carry = lax.while_loop(
                lambda carry: (carry.epoch < stop) & ~carry.stopping.stopped,
                lambda carry: self.epoch(carry.epoch, carry, data, hyper),
                carry,
            )
        return self.spec.layout.carry(self.check(carry, data))

    def epoch(self, number: jax.Array, carry: Carry, data: Arrays, hyper: Hyper) -> Carry:
        """Train for one epoch; a run that has stopped is left as it is."""
        hyper = strong(hyper)
        after, ys = self._steps(number, carry, data, hyper)
        if data.valid_inputs is not None:
            means = evaluation.means(self.net, self.loss, self.spec, self._measured(after), after.state,
                                     data, hyper)  # fmt: skip
            ys |= {f"valid_{name}": value for name, value in means.items()}
        history = {name: carry.history[name].at[number].set(ys[name]) for name in carry.history}
        after = after._replace(history=history, epoch=number + 1)
        rule = self.spec.early_stopping
        if rule is None:
            return after
        now = stopping.update(rule, carry.stopping, number, ys[rule.monitor], self._kept(after))
        after = after._replace(stopping=now)
        # The order and the number of the epoch are shared by the members of a sweep: they stay unselected.
        chosen = stopping.choose(carry.stopping.stopped, carry, after)
        return chosen._replace(order=carry.order, epoch=number + 1)

    def step(
        self, carry: Carry, index: jax.Array, data: Arrays, hyper: Hyper
    ) -> tuple[Carry, dict[str, jax.Array]]:
        """Train for step `index` of epoch ``carry.epoch`` alone; return the carry and what was recorded."""
        hyper = strong(hyper)
        fetch, xs = fetcher(data, self.indices(carry, carry.epoch, data), self.spec.layout)
        item = (index, jax.tree.map(lambda leaf: leaf[index], xs))
        learner, ys = self.body(carry, carry.epoch, data, hyper, fetch)(learner_of(carry), item)
        params, state, opt_state = learner
        return carry._replace(params=params, state=state, opt_state=opt_state), ys

    def check(self, carry: Carry, data: Arrays) -> Carry:
        """Note in the health when a parameter is not finite."""
        steps = steps_per_epoch(examples_of(data), self.spec.batch_size)
        word = health.parameters_word(carry.params)
        last = jnp.where(word == 0, -1, carry.epoch * steps - 1)
        return carry._replace(health=first_health(carry.health, Health(last, word)))

    def result(self, carry: Carry) -> Result:
        """Return what the run gives, the best parameters where early stopping restores them."""
        params, state, average = self._kept(carry)
        rule = self.spec.early_stopping
        if rule is not None and rule.restore_best:
            # Before there was a better epoch, the kept ones are those of the start.
            better = carry.stopping.epoch >= 0
            params, state, average = stopping.choose(better, carry.stopping.kept, (params, state, average))
        return Result(params, state, carry.opt_state, carry.history, carry.health, average, carry.stopping)

    def _kept(self, carry: Carry) -> tuple[Tree, Tree, Tree | None]:
        average = None if self.spec.average is None else optim.averaged_params(carry.opt_state, carry.params)
        return carry.params, carry.state, average

    def _measured(self, carry: Carry) -> Tree:
        return carry.params if self.spec.average is None else self._kept(carry)[2]  # type: ignore[return-value]

    def indices(self, carry: Carry, number: jax.Array, data: Arrays) -> jax.Array:
        """Return which examples each step of an epoch sees, (steps, batch)."""
        return batch_order(carry.order, number, examples=examples_of(data), batch_size=self.spec.batch_size,
                           shuffle=self.spec.shuffle)  # fmt: skip

    def body(
        self, carry: Carry, number: jax.Array, data: Arrays, hyper: Hyper, fetch: Callable[[Any], Any]
    ) -> Callable[..., Any]:
        """Return the body of the scan: ``(learner, (index, xs)) -> learner, recorded``."""
        rule = make_rule(self.held, self.optimizer, hyper, self.spec)
        update = make_step(self.objective, rule, hyper, self.spec, self.held, thorough=self.thorough)
        key = jax.random.fold_in(carry.key, number)

        def body(learner: Any, item: Any) -> Any:
            index, xs = item
            x, y = fetch(xs)
            x = prepared(self.spec, data, x, carry.order, number, index)
            return update(learner, (x, y, jax.random.fold_in(key, index)))

        return body

    def _steps(
        self, number: jax.Array, carry: Carry, data: Arrays, hyper: Hyper
    ) -> tuple[Carry, dict[str, jax.Array]]:
        """Scan over the steps of one epoch; return the carry and what is recorded, by name."""
        indices = self.indices(carry, number, data)
        fetch, xs = fetcher(data, indices, self.spec.layout)
        items = (jnp.arange(len(indices), dtype=jnp.int32), xs)
        learner, ys = lax.scan(self.body(carry, number, data, hyper, fetch), learner_of(carry), items)
        outputs = self._abstract_outputs(carry, data, hyper)
        wrong = health.wrong_labels(outputs, data.targets, indices, self.spec.labels)
        words = health.words(ys, wrong)
        first = jnp.argmax(words != 0).astype(jnp.int32)
        found = Health(jnp.where(words[first] == 0, -1, number * len(indices) + first), words[first])
        params, state, opt_state = learner
        carry = carry._replace(params=params, state=state, opt_state=opt_state,
                               health=first_health(carry.health, found))  # fmt: skip
        recorded = {name: jnp.mean(values, axis=0) for name, values in ys.items()}
        by_step = {f"step_{name}": values for name, values in ys.items() if f"step_{name}" not in ys}
        return carry, recorded | by_step

    def _history(
        self, params: Tree, state: Tree, opt_state: Any, data: Arrays, hyper: Hyper
    ) -> dict[str, jax.Array]:
        spec = self.spec
        names = ["loss", *(name for name, _ in spec.metrics if spec.train_metrics)]
        if data.valid_inputs is not None:
            names += [f"valid_{name}" for name in ("loss", *dict(spec.metrics))]
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(names, ())
        steps = steps_per_epoch(examples_of(data), spec.batch_size)
        if spec.step_losses:
            shapes["step_loss"] = (steps,)
        for name, shape in self._recorded(params, state, opt_state, data, hyper).items():
            if name in shapes or name in RESERVED or (spec.step_records and name.startswith("step_")):
                raise ValueError(
                    explain("train", "record", got=f"a function that returns '{name}'",
                            expected=f"names other than {sorted({*shapes, *RESERVED})}",
                            fix="choose another name")
                )  # fmt: skip
            shapes[name] = shape
            if spec.step_records:
                shapes[f"step_{name}"] = (steps, *shape)
        if spec.early_stopping is not None and shapes.get(spec.early_stopping.monitor) != ():
            raise ValueError(
                explain("train", "early_stopping", got=f"monitor='{spec.early_stopping.monitor}'",
                        expected=f"one of {sorted(name for name, shape in shapes.items() if shape == ())}",
                        fix="monitor a recorded value; valid_... need validation examples")
            )  # fmt: skip
        return {name: jnp.full((spec.epochs, *shape), jnp.nan, jnp.float32) for name, shape in shapes.items()}

    def _recorded(
        self, params: Tree, state: Tree, opt_state: Any, data: Arrays, hyper: Hyper
    ) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of what `Spec.record` gives, without computing it."""
        if self.spec.record is None:
            return {}

        def record(opt_state: Any, inputs: Any, targets: Any, key: jax.Array) -> Any:
            step = Step(params, state, params, params, opt_state, data.scaled(inputs), targets, key, hyper)
            return _checked_record(self.spec.record(step))  # type: ignore[misc]

        batch = self._abstract_batch((data.inputs, data.targets))
        found = jax.eval_shape(record, opt_state, *batch, jax.random.key(0))
        return {name: value.shape for name, value in found.items()}

    def _abstract_batch(self, examples: Any) -> Any:
        def batch(leaf: Any) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct((self.spec.batch_size, *leaf.shape[1:]), leaf.dtype)

        return jax.tree.map(batch, examples)

    def _abstract_outputs(self, carry: Carry, data: Arrays, hyper: Hyper) -> Any:
        def run(x: Any) -> Any:
            return self.net.apply(carry.params, carry.state, data.scaled(x), train=False, hyper=hyper)[0]

        return jax.eval_shape(run, self._abstract_batch(data.inputs))


def _checked_record(found: Any) -> dict[str, Any]:
    wrong = (
        found
        if not isinstance(found, Mapping)
        else next((value for value in found.values() if isinstance(value, Mapping | list | tuple)), None)
    )
    if wrong is not None:
        raise DtypeError(
            explain("train", "record", got=f"a function that returns a {type(wrong).__name__}"
                    f"{' in a dict' if isinstance(found, Mapping) else ''}",
                    expected="a dict of arrays by name",
                    fix="lambda step: {'norm': optim.gradient_norm(step)}")
        )  # fmt: skip
    return dict(found)


def learner_of(carry: Carry) -> tuple[Tree, Tree, Any]:
    """Return what a step changes."""
    return carry.params, carry.state, carry.opt_state


def first_health(before: Health, found: Health) -> Health:
    """Return what was found first, where anything was."""
    kept = before.step >= 0
    return Health(*(jnp.where(kept, old, new) for old, new in zip(before, found, strict=True)))
