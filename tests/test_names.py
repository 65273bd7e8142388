"""The names that the field looks for first: each is public, and each function of arrays has its row."""

import functools
import inspect

import opspec
import pytest

import jaxdl

NAMES = {
    "activations": "step identity sigmoid tanh scaled_tanh softsign relu leaky_relu prelu swish softmax "
    "output_for",
    "losses": "squared_error non_negative_squared_error binary_cross_entropy softmax_cross_entropy "
    "multi_label_cross_entropy maximum_a_posteriori huber smooth_l1 contrastive triplet l1_penalty "
    "l2_penalty soft_threshold proximal_l1 reduce",
    "gradcheck": "numerical_gradient check",
    "graph": "show",
    "backprop": "backpropagation",
    "optim": "sgd momentum nesterov adagrad rmsprop adam adamw ema clip_by_global_norm warmup_cosine "
    "decay_mask learning_rate gradient_norm frozen",
    "models.perceptron": "fit gate xor",
    "models.linear_regression": "fit lasso line",
    "models.logistic_regression": "fit",
    "models.softmax_regression": "fit",
    "models.decision_tree": "fit",
    "features": "polynomial circle ellipse",
    "filters": "kernel apply as_matrix",
    "receptive_field": "stack measure",
    "scaling": "z_score mean_normalisation min_max decimal pixels",
    "descent": "descend",
    "style": "gram content_loss style_loss total_variation transfer",
    "units": "top_patches saliency",
    "impurity": "binary_entropy entropy gini information_gain",
    "metrics": "accuracy binary_accuracy confusion_matrix precision recall f1 threshold_sweep roc_curve "
    "roc_area r2",
    "select": "learning_curve validation_curve diagnose structural_risk random_search choose masked",
    "initializers": "zeros normal uniform lecun he xavier glorot orthogonal",
    "probe": "activations parameters layers histogram norms dead saturated",
    # Whole runs, data sets, modules and pictures are tested beside their code.
    "train": "make_train fit sweep evaluate predict rate_range make_rate_range exact_statistics save load "
    "compilation_cache compile export load_exported prefetch restore Stream",
    "train.points": "grid random zip log linear",
    "weights": "save load metadata",
    "train.log": "JSONLines CSV TensorBoard read writers",
    "train.shard": "data_parallel fsdp members Plan",
    "data": "split folds one_hot Dataset load_digits load_iris load_wine load_breast_cancer load_diabetes "
    "volumes waveforms",
    "layers": "Linear PReLU Dropout BatchNorm Activation ConnectedConv Subsample RadialBasis",
    "models": "LeNet5 LeNet5Config SignalNet SignalNetConfig VolumeNet VolumeNetConfig "
    "MLP MLPConfig Perceptron LinearModel DecisionTree",
    "plot": "activations step_and_sigmoid cost_surfaces graph descent paths gradient_field boundary "
    "learning_curve validation_curve kernels signals volumes confusion_matrix worst_mistakes roc "
    "precision_recall tree activation_histograms gradients_by_depth history rate_range heat_map "
    "parallel_curves images top_patches saliency",
}
WITHOUT_ROWS = (
    "train",
    "train.log",
    "train.points",
    "train.shard",
    "weights",
    "data",
    "layers",
    "models",
    "plot",
)


@pytest.mark.parametrize("module", NAMES)
def test_every_name_is_public_and_has_its_row(module: str) -> None:
    rows = {op.name.partition(":")[0] for op in opspec.OPS} | {name for name, *_ in opspec.CALLS}
    home = functools.reduce(getattr, module.split("."), jaxdl)
    for name in NAMES[module].split():
        found = getattr(home, name)
        assert callable(found)
        assert inspect.getdoc(found)
        assert module in WITHOUT_ROWS or f"{module}.{name}" in rows
