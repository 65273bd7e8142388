"""A trained forward function as one file, to be called without the code that made it."""

import dataclasses
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.data._convert import to_single
from jaxdl.data._named import Named, check_counts, each, numbers, singles
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain
from jaxdl.net import require
from jaxdl.train import door
from jaxdl.train.fitted import check_trained
from jaxdl.train.shard import require_whole
from jaxdl.weights import _format, tree_file
from jaxdl.weights._write import write

WHAT = "exported program of jaxdl"
SYMBOLIC = "symbolic"
PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Exported:
    """A forward function with its weights, scaling included; call it with raw inputs.

    Attributes:
        program: the `jax.export.Exported`: a function of (arrays, inputs), StableHLO inside.
        arrays: its first argument by name: ``params/...``, ``state/...``, ``scaling/...``, ``hyper/...``.
        example: shape and dtype of one example, by name where a call takes a dict of arrays.
        batch: ``"symbolic"``, or the number of examples that a call takes.
        classes: class names, or None.
        digest: the SHA-256 over header and arrays that the file holds, for ``load_exported(digest=)``; not
            that of the bytes of the file. None where it was not written.
    """

    program: jax.export.Exported
    arrays: dict[str, np.ndarray]
    example: Any
    batch: str | int = SYMBOLIC
    classes: tuple[str, ...] | None = None
    digest: str | None = None

    def __repr__(self) -> str:
        told = each("", "", self.example, lambda _, one: f"{one.dtype} {self._shape(one)}")
        takes = told if isinstance(told, str) else ", ".join(f"{name} {text}" for name, text in told.items())
        size = sum(array.nbytes for array in self.arrays.values())
        return f"Exported({takes}; {', '.join(self.program.platforms)}; {size:,} bytes of arrays)"

    def __call__(self, inputs: Any) -> np.ndarray:
        """Return the outputs (examples, ...) for inputs (examples, ...); each new number of them compiles."""
        arrays = singles("Exported", "inputs", numbers("Exported", "inputs", inputs))
        wanted = sorted(self.example) if isinstance(self.example, dict) else None
        if (sorted(arrays) if isinstance(arrays, dict) else None) != wanted:
            got = f"a dict of {sorted(arrays)}" if isinstance(arrays, dict) else "an array"
            raise ShapeError(
                explain("Exported", "inputs", got=got,
                        expected=f"a dict of {wanted}" if wanted else "an array",
                        fix="pass what the model was trained on")
            )  # fmt: skip
        jax.tree.map(self._check, _paths(arrays), arrays, self.example)
        if wanted:
            check_counts("Exported", {"inputs": arrays})
        return np.asarray(self._run(self._held, arrays))

    def _shape(self, example: jax.ShapeDtypeStruct) -> str:
        rows = "examples" if self.batch == SYMBOLIC else self.batch
        return f"({', '.join(map(str, (rows, *example.shape)))})"

    def _check(self, argument: str, array: np.ndarray, example: jax.ShapeDtypeStruct) -> None:
        fits = array.shape[1:] == example.shape and array.ndim > 0 and len(array) > 0
        if not fits or self.batch not in (SYMBOLIC, len(array)):
            raise ShapeError(
                explain("Exported", argument, got=f"of shape {array.shape}", expected=self._shape(example),
                        fix="pass as many examples of the shape that was exported")
            )  # fmt: skip
        if array.dtype != example.dtype:
            raise DtypeError(
                explain("Exported", argument, got=f"of dtype {array.dtype}", expected=str(example.dtype),
                        fix=f"{argument}.astype('{example.dtype}')")
            )  # fmt: skip

    @cached_property
    def _run(self) -> Callable[..., jax.Array]:
        return jax.jit(self.program.call)

    @cached_property
    def _held(self) -> list[jax.Array]:
        return [jnp.asarray(array) for array in self.arrays.values()]


def export(
    fitted: Any,
    path: str | Path | None = None,
    *,
    inputs: Any = None,
    batch: str | int = SYMBOLIC,
    platforms: Sequence[str] | None = None,
) -> Exported:
    """Turn the forward function of a trained network, in evaluation mode, into a program without Python.

    The scaling and the hyperparameters of the run are part of it. The weights are its arguments, and stand
    beside the program in the file, where `jaxdl.weights.load` reads them: so the compiler need not fold them,
    and the program is small. `load_exported` calls it without the network's code; jax promises to
    read a program for at least six months after the release that wrote it.

    Args:
        fitted: what `fit` or `load` returned.
        path: where to write it, with a SHA-256 over all of it; None writes nothing.
        inputs: an array or a `jax.ShapeDtypeStruct` (examples, ...) of the shape and dtype that a call will
            have, or a dict of such; None: as in training, which a model that `load` returned does not know.
            As in `fit`, float64 becomes float32, int64 int32 and bool uint8, here and in a call.
        batch: ``"symbolic"``, one program for any number of examples, or a number.
        platforms: for which of ``"cpu"``, ``"cuda"``, ``"rocm"``, ``"tpu"``; None: the one of this process.

    Returns:
        The `Exported`, to be called with inputs (examples, ...); it equals ``fitted.predict(inputs)``.

    Raises:
        TypeError: not one trained model; inputs of a dtype that no call takes, such as bfloat16; one string
            for `platforms`.
        ValueError: shape and dtype of the inputs are not known; a batch that is neither; an unknown
            platform; a network that asks for the number of examples, where that is a symbol; one that calls
            Python, as `jax.debug.print` does; parameters split over the devices of several processes.
        OSError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> from jaxdl import losses, net, optim
        >>> from jaxdl.train import fit
        >>> line = net.from_pair(lambda key: {"w": jnp.zeros((1, 1))}, lambda params, x: x @ params["w"])
        >>> x = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
        >>> fitted = fit(line, (x, 3 * x), loss=losses.squared_error, optimizer=optim.sgd(0.5),
        ...              epochs=20, batch_size=4, progress="off")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     exported = export(fitted, Path(folder) / "line.jaxdl", inputs=x)
        ...     again = load_exported(Path(folder) / "line.jaxdl")
        >>> bool((again(x[:3]) == fitted.predict(x[:3])).all())
        True
    """
    check_trained("export", fitted)
    require("export", fitted.net)
    _check_platforms(platforms)
    example = _example(fitted, inputs)
    parts = {"params": fitted.params, "state": fitted.state, "scaling": fitted.scaling,
             "hyper": door.hyper(getattr(fitted, "hyper", None))}  # fmt: skip
    require_whole("export", parts)
    arrays = tree_file.named_arrays("export", jax.tree.map(jnp.asarray, parts))
    program = _program(fitted.net, parts, arrays, example, batch, platforms)
    found = Exported(program, arrays, example, batch, fitted.classes)
    return found if path is None else _save(Path(path), found)


def load_exported(path: str | Path, *, digest: str | None = None) -> Exported:
    """Read a program that `export` wrote, verified by its SHA-256.

    It is a program: run those alone whose source you trust, or whose digest you know.

    Args:
        path: the file.
        digest: the `Exported.digest` that it must have, kept where nobody who may write the file can.

    Returns:
        The `Exported`, to be called with inputs (examples, ...).

    Raises:
        ValueError: a digest that is not 64 hexadecimal digits.
        FormatError: damaged, of a newer version, another file, or of a jax that this one cannot read.
        OSError: the file cannot be read.

    Example:
        >>> import tempfile
        >>> from jaxdl import net
        >>> from jaxdl.train import Loaded
        >>> double = net.from_pair(lambda key: {"w": jnp.float32(2)}, lambda params, x: x * params["w"])
        >>> model = Loaded(double, {"w": np.float32(2)}, {}, None, None, None)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     kept = export(model, f"{folder}/double.jaxdl", inputs=np.ones((1, 1), np.float32)).digest
        ...     found = load_exported(f"{folder}/double.jaxdl", digest=kept)
        >>> found(np.float32([[1], [3]])).tolist()
        [[2.0], [6.0]]
    """
    path = Path(path)
    _check_digest(digest)
    header, text, arrays = _format.read(path, what=WHAT, expected=digest, op="load_exported")
    if "config" in header:
        raise FormatError(f"load_exported: {path} is a model file that `save` wrote. "
                          "Fix: train.load(path)")  # fmt: skip
    try:
        if header["kind"] != "exported":
            raise KeyError("kind")
        program = jax.export.deserialize(bytearray(arrays["program"].tobytes()))
        example = _read_example(header["shape"], header["dtype"])
        held = {name: arrays[name] for name in header["arrays"]}
        classes = None if header["classes"] is None else tuple(header["classes"])
        found = _format.digest(text, arrays, header["version"])
        return Exported(program, held, example, header["batch"], classes, found)
    except ImportError:
        raise
    except Exception as error:  # jax raises what its parsers raise
        raise FormatError(f"load_exported: {path} is no {WHAT}, or jax {jax.__version__} cannot read it "
                          f"({error}). Fix: export the model again") from error  # fmt: skip


def _paths(arrays: Named) -> Any:
    return each("", "inputs", arrays, lambda argument, _: argument)


def _read_example(shape: Any, dtype: Any) -> Any:
    if not isinstance(shape, dict):
        return jax.ShapeDtypeStruct(tuple(shape), dtype)
    return {name: jax.ShapeDtypeStruct(tuple(shape[name]), dtype[name]) for name in shape}


def _example(fitted: Any, inputs: Any) -> Any:
    known = getattr(fitted, "example", None)
    if inputs is None:
        if known is not None:
            return known
        raise ValueError(
            explain("export", "inputs", got="None", expected="inputs, as it does not know their shape",
                    fix="inputs=jax.ShapeDtypeStruct((1, features), 'float32')")
        )  # fmt: skip
    return each("export", "inputs", inputs, _one_example)


def _one_example(argument: str, inputs: Any) -> jax.ShapeDtypeStruct:
    shape, dtype = np.shape(inputs), getattr(inputs, "dtype", np.asarray(inputs).dtype)
    if len(shape) < 1:
        raise ShapeError(explain("export", argument, got=f"of shape {shape}", expected="(examples, ...)",
                                 fix=f"pass {argument}[None]"))  # fmt: skip
    if np.dtype(dtype).kind not in "biuf":
        raise DtypeError(
            explain("export", argument, got=f"of dtype {dtype}",
                    expected="uint8, int32 or float32, which a call takes",
                    fix=f"jax.ShapeDtypeStruct({shape}, 'float32')")
        )  # fmt: skip
    single = to_single("export", argument, np.zeros((0,), dtype))  # as a call converts
    return jax.ShapeDtypeStruct(shape[1:], single.dtype)


def _check_platforms(platforms: Any) -> None:
    if isinstance(platforms, str):
        raise DtypeError(
            explain("export", "platforms", got=repr(platforms), expected="a sequence of names",
                    fix=f"platforms=({platforms!r},)")
        )  # fmt: skip
    for platform in platforms or ():  # jax takes any name, and fails when the program is called
        _checks.one_of("export", "platforms", platform, PLATFORMS)


def _check_digest(digest: Any) -> None:
    if digest is not None and not re.fullmatch("[0-9a-f]{64}", str(digest)):
        raise ValueError(
            explain("load_exported", "digest", got=repr(digest), expected="64 hexadecimal digits, 0-9a-f",
                    fix="digest=exported.digest, as export returned it")
        )  # fmt: skip


def _program(
    net: Any, parts: Any, arrays: dict[str, np.ndarray], example: Any, batch: Any, platforms: Any
) -> jax.export.Exported:
    structure = jax.tree.structure(parts)

    def forward(leaves: list[jax.Array], x: Any) -> Any:
        held = jax.tree.unflatten(structure, leaves)
        scaled = x if held["scaling"] is None else held["scaling"](x)
        outputs = net.apply(held["params"], held["state"], scaled, train=False, hyper=held["hyper"])[0]
        rows = jax.tree.leaves(x)[0].shape[:1]
        if getattr(outputs, "shape", ())[:1] != rows:
            raise ShapeError(
                explain("export", "fitted", got=f"of outputs {jax.tree.map(jnp.shape, outputs)}",
                        expected=f"one array ({rows[0]}, ...)", fix="return one output an example")
            )  # fmt: skip
        return outputs

    if batch != SYMBOLIC:
        size: Any = _checks.positive_integer("export", "batch", batch)
    else:
        (size,) = jax.export.symbolic_shape("batch", constraints=("batch >= 1",))
    shaped = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in arrays.values()]
    x = jax.tree.map(lambda one: jax.ShapeDtypeStruct((size, *one.shape), one.dtype), example)
    try:
        return jax.export.export(jax.jit(forward), platforms=platforms)(shaped, x)
    except jax.errors.InconclusiveDimensionOperation as error:
        raise ValueError(
            explain("export", "batch", got="'symbolic'", fix="batch=32, and pass 32 examples a call",
                    expected="a number, as this network decides by the number of examples")
        ) from error  # fmt: skip
    except RuntimeError as error:  # NotImplementedError is one
        raise ValueError(
            explain("export", "fitted", got=f"a network that jax cannot export ({error})",
                    expected="one that does not call Python, as jax.debug.print and pure_callback do",
                    fix="leave such calls out where train=False")
        ) from error  # fmt: skip


def _save(path: Path, exported: Exported) -> Exported:
    """Write the file, and return the same with its digest."""
    program = np.frombuffer(exported.program.serialize(), np.uint8)
    header = {
        "kind": "exported", "shape": each("", "", exported.example, lambda _, one: one.shape),
        "dtype": each("", "", exported.example, lambda _, one: str(one.dtype)),
        "batch": exported.batch, "classes": exported.classes, "arrays": list(exported.arrays),
        "jax": jax.__version__,
    }  # fmt: skip
    content, digest = _format.encode(header, {**exported.arrays, "program": program})
    write(path, content)
    return dataclasses.replace(exported, digest=digest)
