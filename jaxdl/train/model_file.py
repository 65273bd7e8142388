"""One file that holds a trained model: config, parameters, statistics, scaling and class names.

The file is safetensors: arrays, and a header of JSON text, nothing that could run. A SHA-256 over both is
stored in the header and verified on loading.
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxdl import _trees, models
from jaxdl.errors import FormatError, explain
from jaxdl.net import Net, Tree, functional
from jaxdl.scaling import Scaling
from jaxdl.train.fitted import check_trained
from jaxdl.train.predict import predict
from jaxdl.train.shard import require_whole
from jaxdl.weights import _format
from jaxdl.weights._write import write

WHAT = "model file of jaxdl"
KINDS = {
    "AlexNet": (models.AlexNetConfig, models.AlexNet),
    "CifarResNet": (models.CifarResNetConfig, models.CifarResNet),
    "Embedder": (models.EmbedderConfig, models.Embedder),
    "EncoderDecoder": (models.EncoderDecoderConfig, models.EncoderDecoder),
    "FastRCNN": (models.FastRCNNConfig, models.FastRCNN),
    "FasterRCNN": (models.FasterRCNNConfig, models.FasterRCNN),
    "GoogLeNet": (models.GoogLeNetConfig, models.GoogLeNet),
    "LanguageModel": (models.LanguageModelConfig, models.LanguageModel),
    "LeNet5": (models.LeNet5Config, models.LeNet5),
    "Localiser": (models.LocaliserConfig, models.Localiser),
    "MLP": (models.MLPConfig, models.MLP),
    "RCNN": (models.RCNNConfig, models.RCNN),
    "ResNet": (models.ResNetConfig, models.ResNet),
    "SequenceClassifier": (models.SequenceClassifierConfig, models.SequenceClassifier),
    "SequenceTagger": (models.SequenceTaggerConfig, models.SequenceTagger),
    "SignalNet": (models.SignalNetConfig, models.SignalNet),
    "VGG": (models.VGGConfig, models.VGG),
    "VolumeNet": (models.VolumeNetConfig, models.VolumeNet),
    "WindowClassifier": (models.WindowClassifierConfig, models.WindowClassifier),
    "Yolo": (models.YoloConfig, models.Yolo),
}


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A model as `load` returns it: `net`, `params`, `state`, `config`, `scaling` and `classes`."""

    net: Net
    params: Tree
    state: Tree
    config: Any
    scaling: Scaling | None
    classes: tuple[str, ...] | None

    def predict(self, inputs: Any, *, batch_size: int = 1024) -> np.ndarray:
        """Return the outputs for raw inputs (examples, ...), scaled as in training."""
        return predict(self.net, self.params, self.state, inputs, batch_size=batch_size,
                       scaling=self.scaling)  # fmt: skip


def save(path: str | Path, fitted: Any) -> Path:
    """Write a trained model to one file, whole or not at all.

    Args:
        path: where to; by custom it ends in ``.safetensors``.
        fitted: a `Fitted` or a `Loaded`. Where its network was made by `functional` of a model of this
            library, the config of the model is stored too, and `load` builds the network from it; any
            other network is given to `load`.

    Returns:
        The path.

    Raises:
        TypeError: not one trained model, or a scaling that is no `Scaling`.
        ValueError: parameters split over the devices of several processes.
        OSError: the file cannot be written.

    Example:
        >>> from jaxdl import losses, optim
        >>> config = models.MLPConfig(sizes=(2, 4, 2))
        >>> from jaxdl.train import fit
        >>> fitted = fit(functional(lambda rngs: models.MLP(config, rngs=rngs)),
        ...              (np.eye(2), np.array([0, 1])), loss=losses.softmax_cross_entropy,
        ...              optimizer=optim.sgd(0.1), epochs=1, batch_size=2, progress="off")
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model = load(save(Path(folder) / "model.safetensors", fitted))
        >>> bool((model.predict(np.eye(2)) == fitted.predict(np.eye(2))).all())
        True
    """
    check_trained("save", fitted)
    config = fitted.net.config
    kind = next((name for name, (known, _) in KINDS.items() if type(config) is known), None)
    if not isinstance(fitted.scaling, Scaling | None):
        raise TypeError(
            explain("save", "scaling", got=f"a {type(fitted.scaling).__name__}",
                    expected="a jaxdl.scaling.Scaling or None", fix="scale with jaxdl.scaling")
        )  # fmt: skip
    scaling = {} if fitted.scaling is None else dataclasses.asdict(fitted.scaling)
    groups = {"params": fitted.params, "state": fitted.state, "scaling": scaling}
    require_whole("save", groups)
    arrays = {name: np.asarray(leaf) for name, leaf in _trees.named_leaves(groups).items()}
    header = {"kind": kind, "classes": fitted.classes,
              "config": None if kind is None else dataclasses.asdict(config)}  # fmt: skip
    return write(Path(path), _format.encode(header, arrays)[0])


def load(path: str | Path, *, net: Net | None = None) -> Loaded:
    """Read a model that `save` wrote, verified by its SHA-256.

    Args:
        path: the file.
        net: the network, for a file that holds no config.

    Returns:
        `Loaded`: it predicts, and is saved again as it is.

    Raises:
        FormatError: not such a file, damaged, of a newer version, or not of this network.
        ValueError: neither the file nor the caller says what the network is.
        OSError: the file cannot be read.

    Example:
        >>> import tempfile
        >>> from jaxdl import net
        >>> double = net.from_pair(lambda key: {"w": jnp.float32(2)}, lambda params, x: x * params["w"])
        >>> model = Loaded(double, {"w": jnp.float32(3)}, {}, None, None, ("low", "high"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     again = load(save(Path(folder) / "model.safetensors", model), net=double)
        >>> float(again.params["w"]), again.classes
        (3.0, ('low', 'high'))
    """
    path = Path(path)
    header, arrays = _read(path)
    config = None
    if header["kind"] is not None:
        config, built = _build(path, header)
        if net is not None and net.config != config:
            raise ValueError(
                explain("load", "net", got=f"of config {net.config}", expected=f"{config}, or None",
                        fix="leave net out: the file says what the network is")
            )  # fmt: skip
        net = built
    if net is None:
        raise ValueError(
            explain("load", "net", got="None", expected="the network, as the file holds no config",
                    fix="load(path, net=net)")
        )  # fmt: skip
    like = dict(zip(("params", "state"), jax.eval_shape(net.init, jax.random.key(0)), strict=True))
    scaling = {name: value for name, value in arrays.items() if name.startswith("scaling/")}
    params, state = (_fill(path, group, like[group], arrays) for group in ("params", "state"))
    if len(jax.tree.leaves((params, state))) + len(scaling) != len(arrays):
        raise FormatError(f"load: {path} holds arrays that are not of this network. "
                          "Fix: pass the network that was saved")  # fmt: skip
    affine = (
        Scaling(*(jnp.asarray(scaling[f"scaling/{part}"]) for part in ("offset", "factor")))
        if scaling
        else None
    )
    classes = None if header["classes"] is None else tuple(header["classes"])
    return Loaded(net, params, state, config, affine, classes)


def _make(kind: str, config: Any) -> Net:
    def make(rngs: nnx.Rngs) -> nnx.Module:
        return KINDS[kind][1](config, rngs=rngs)

    return functional(make)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    header, text, arrays = _format.read(path, what=WHAT)
    if header.get("kind") == "exported":
        raise FormatError(f"load: {path} is a program that `export` wrote. "
                          "Fix: train.load_exported(path)")  # fmt: skip
    try:
        kind, names = (header[part] for part in ("kind", "classes"))
        if not (isinstance(names, list | None) and all(isinstance(name, str) for name in names or ())):
            raise TypeError("its class names are no strings")
        if len(text) > 10_000 + 1_000 * len(arrays):
            raise ValueError("its config is too long for its arrays")
        if not isinstance(kind, str | None):
            raise TypeError("its kind is no string")
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"load: {path} is no {WHAT}, or is damaged ({error}). "
                          "Fix: save the model again") from error  # fmt: skip
    return header, arrays


def _build(path: Path, header: dict[str, Any]) -> tuple[Any, Net]:
    try:
        config = KINDS[header["kind"]][0](**header["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"load: {path} holds a config that is not understood ({error}). "
                          "Fix: install the jaxdl that wrote it") from error  # fmt: skip
    return config, _make(header["kind"], config)


def _fill(path: Path, group: str, like: Tree, arrays: dict[str, np.ndarray]) -> Tree:
    leaves, structure = jax.tree.flatten(like)
    found = [arrays.get(f"{group}/{name}") for name in _trees.named_leaves(like)]
    for name, leaf, array in zip(_trees.named_leaves(like), leaves, found, strict=True):
        if array is None or array.shape != leaf.shape or array.dtype != leaf.dtype:
            got = "missing" if array is None else f"{array.dtype} {array.shape}"
            raise FormatError(f"load: {path}: '{group}/{name}' is {got}; expected {leaf.dtype} "
                              f"{leaf.shape}. Fix: pass the network that was saved")  # fmt: skip
    return jax.tree.unflatten(structure, [jnp.asarray(array) for array in found])
