"""Rows of `jaxdl.units` and `jaxdl.receptive_field`."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxdl import net, receptive_field, units
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.layers import Conv, GlobalAvgPool, Linear
from jaxdl.net import LayerOutput
from jaxdl.receptive_field import Layer
from rows.common import Call

NET = net.functional(
    lambda rngs: nnx.Sequential(Conv(1, 2, (3, 3), rngs=rngs), GlobalAvgPool(), Linear(2, 3, rngs=rngs))
)
WEIGHTS = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), jax.eval_shape(NET.init, jax.random.key(0)))
PAIR = net.from_pair(lambda key: {}, lambda params, x: x)
SORTED = net.Net(
    NET.init, NET.apply, trace=lambda params, state, x, **_: {"a": LayerOutput(jnp.sort(x, 1), "a")}
)
IMAGES = np.ones((4, 6, 6, 1), np.float32)
MODEL = (NET, *WEIGHTS)
CONV = {"layer": "layers/0"}
CALLS: tuple[Call, ...] = (
    (
        "receptive_field.stack", receptive_field.stack,
        (
            (([3],), {}, DtypeError, r"Layer\(3, stride=2\)"),
            (([Layer((3, 3, 3))],), {}, ShapeError, "axes=3"),
            (([Layer(0)],), {}, ValueError, "'kernel' is 0"),
            (([Layer(3, stride=0)],), {}, ValueError, "'stride' is 0"),
            (([Layer(3, padding=-1)],), {}, ValueError, "'padding' is -1"),
            (([Layer(3.5)],), {}, DtypeError, "whole number"),
            (([Layer(3)],), {"axes": 0}, ValueError, "'axes' is 0"),
        ),
    ),
    (
        "receptive_field.measure", receptive_field.measure,
        (
            ((PAIR, {}, {}, (6, 6, 1)), CONV, TypeError, "outputs inside cannot be seen"),
            ((*MODEL, (6, 6, 1)), {"layer": "conv"}, ValueError, "one of 'layers/0', 'layers/1', 'layers/2'"),
            ((*MODEL, (6, 6, 1)), {"layer": "layers/1"}, ShapeError, "choose one of layers/0"),
            ((*MODEL, (6,)), CONV, ShapeError, r"\(space..., channels\)"),
            ((*MODEL, (6, 6.5, 1)), CONV, DtypeError, "whole number"),
            ((SORTED, {}, {}, (6, 6, 1)), {"layer": "a"}, ValueError, "computed by 'sort'"),
        ),
    ),
    (
        "receptive_field.layer_output", receptive_field.layer_output,
        (
            (("f", {"a": LayerOutput(jnp.ones((1, 2)), "b")}, "b", 4), {}, ValueError, "one of 'a'"),
            (("f", {"a": LayerOutput(jnp.ones((1, 2)), "b")}, "a", 4), {}, ShapeError, "this one has none"),
            (("f", {"a": LayerOutput(jnp.ones((1, 2)), "b")}, None, 4), {}, ValueError, "'layer' is None"),
        ),
    ),
    (
        "units.top_patches", units.top_patches,
        (
            ((PAIR, {}, {}, IMAGES), CONV, TypeError, "outputs inside cannot be seen"),
            ((*MODEL, IMAGES), {"layer": "conv"}, ValueError, "one of 'layers/0'"),
            ((*MODEL, IMAGES), {"layer": "layers/2"}, ShapeError, "choose one of layers/0"),
            ((*MODEL, IMAGES), {**CONV, "units": [2]}, ValueError, "units from 0 to 1"),
            ((*MODEL, IMAGES), {**CONV, "units": []}, ValueError, "units from 0 to 1"),
            ((*MODEL, IMAGES), {**CONV, "units": [0.5]}, DtypeError, "whole number"),
            ((*MODEL, IMAGES), {**CONV, "count": 5}, ValueError, "at most 4"),
            ((*MODEL, IMAGES), {**CONV, "count": 0}, ValueError, "'count' is 0"),
            ((*MODEL, IMAGES), {**CONV, "per_image": 0}, ValueError, "'per_image' is 0"),
            ((*MODEL, IMAGES), {**CONV, "scaling": 255}, DtypeError, r"jaxdl.scaling.pixels\(\)"),
            ((*MODEL, IMAGES[0, 0]), CONV, ShapeError, r"\(examples, space..., channels\)"),
            ((*MODEL, "images"), CONV, DtypeError, "an array of numbers"),
        ),
    ),
    (
        "units.saliency", units.saliency,
        (
            ((None, {}, {}, IMAGES), {}, TypeError, "a NoneType"),
            ((*MODEL, IMAGES.astype(int)), {}, DtypeError, "floating dtype"),
            ((*MODEL, IMAGES[0, 0]), {}, ShapeError, r"\(batch, space..., channels\)"),
            ((*MODEL, IMAGES), {"target": 3}, ValueError, "classes from 0 to 2"),
            ((*MODEL, IMAGES), {"target": jnp.array([0, 1])}, ShapeError, r"\(\) or \(4,\)"),
            ((*MODEL, IMAGES), {"target": 0.5}, DtypeError, "integer dtype"),
            ((*MODEL, IMAGES), {"of": "guided"}, ValueError, "'gradient', 'input_times_gradient'"),
            ((*MODEL, IMAGES), {"target": 0, "samples": 2}, DtypeError, r"jax.random.key\(seed\)"),
            ((*MODEL, IMAGES), {"samples": -1}, ValueError, "'samples' is -1"),
            ((*MODEL, IMAGES), {"noise": -0.1}, ValueError, r"\[0, inf\)"),
            ((PAIR, {}, {}, IMAGES), {"target": 0}, ShapeError, r"logits \(batch, classes\)"),
        ),
    ),
)  # fmt: skip
