"""The small data sets that scikit-learn carries along: no download, its values unchanged."""

from typing import Any

import numpy as np

from jaxdl.data._extras import require
from jaxdl.data.dataset import Dataset


def load_digits() -> Dataset:
    """Return 1,797 handwritten digits of 8x8 pixels, one row each.

    Returns:
        inputs (1797, 64) float32, whole numbers 0 to 16, not scaled; targets (1797,), ten classes.

    Raises:
        MissingExtraError: scikit-learn is not installed.

    Reference: Alpaydin and Kaynak, Optical recognition of handwritten digits, UCI, 1998.

    >>> load_digits()
    Dataset(1797 examples, inputs float32 (64,), 10 classes)
    """
    return _classification("load_digits")


def load_iris() -> Dataset:
    """Return Fisher's 150 irises of three species, four lengths in centimetres.

    Returns:
        inputs (150, 4) float32; targets (150,), three classes.

    Raises:
        MissingExtraError: scikit-learn is not installed.

    Reference: Fisher, The use of multiple measurements in taxonomic problems, 1936.

    >>> load_iris().classes
    ('setosa', 'versicolor', 'virginica')
    """
    return _classification("load_iris")


def load_wine() -> Dataset:
    """Return 178 wines of three growers, 13 chemical measurements on very different scales.

    Returns:
        inputs (178, 13) float32, not scaled; targets (178,), three classes.

    Raises:
        MissingExtraError: scikit-learn is not installed.

    Reference: Aeberhard and Forina, Wine, UCI, 1991.

    >>> load_wine()
    Dataset(178 examples, inputs float32 (13,), 3 classes)
    """
    return _classification("load_wine")


def load_breast_cancer() -> Dataset:
    """Return 569 biopsies, malignant (label 0) or benign (label 1), 30 measurements of cell nuclei.

    Returns:
        inputs (569, 30) float32, not scaled; targets (569,), two classes.

    Raises:
        MissingExtraError: scikit-learn is not installed.

    Reference: Street, Wolberg and Mangasarian, Nuclear feature extraction, 1993.

    >>> load_breast_cancer().classes
    ('malignant', 'benign')
    """
    return _classification("load_breast_cancer")


def load_diabetes(*, scaled: bool = True) -> Dataset:
    """Return 442 patients and the progress of their diabetes one year later: a regression.

    Args:
        scaled: True gives scikit-learn's default, each feature centred and scaled to a sum of
            squares of 1 over all 442 patients; False gives the units of the measurements.

    Returns:
        inputs (442, 10) float32; targets (442,) float32, from 25 to 346.

    Raises:
        MissingExtraError: scikit-learn is not installed.

    Reference: Efron, Hastie, Johnstone and Tibshirani, Least angle regression, 2004.

    >>> load_diabetes()
    Dataset(442 examples, inputs float32 (10,), targets float32 ())
    """
    bunch = _bunch("load_diabetes", scaled=scaled)
    return Dataset(bunch.data, bunch.target, names=tuple(bunch.feature_names))


def _classification(loader: str) -> Dataset:
    bunch = _bunch(loader)
    classes = tuple(str(name) for name in bunch.target_names)
    names = tuple(str(name) for name in bunch.feature_names)
    return Dataset(bunch.data, bunch.target.astype(np.int32), classes, names)


def _bunch(loader: str, **options: Any) -> Any:
    datasets = require("sklearn.datasets", "scikit-learn", loader)
    return getattr(datasets, loader)(**options)
