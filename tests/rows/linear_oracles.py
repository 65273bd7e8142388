"""Slow, obvious float64 NumPy for `rows.linear`."""

import itertools

import numpy as np

Array = np.ndarray


def polynomial(x: Array, *, degree: int, interaction_only: bool = False, include_bias: bool = True) -> Array:
    columns = []
    for size in range(0 if include_bias else 1, degree + 1):
        for chosen in itertools.combinations_with_replacement(range(x.shape[-1]), size):
            if interaction_only and len(set(chosen)) < len(chosen):
                continue
            column = np.ones(x.shape[:-1])
            for feature in chosen:
                column = column * x[..., feature]
            columns.append(column)
    return np.stack(columns, -1)


def circle(x: Array) -> Array:
    return np.concatenate([x, (x**2).sum(-1, keepdims=True)], -1)


def ellipse(x: Array) -> Array:
    return np.concatenate([x, x**2], -1)
