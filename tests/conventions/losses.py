"""Conventions of losses, penalties, metrics and features."""

from conventions.common import Convention, Form, row

TITLE = "Losses, penalties and metrics"
OUTPUTS = (
    ("squared_error", "torch.nn.MSELoss", "squared_error:mean", row("losses.squared_error:sum")),
    ("non_negative_squared_error", "torch.nn.MSELoss()(relu(z), y)", "non_negative_squared_error",
    "test_forms.py::test_non_negative_squared_error_of_several_outputs"),
    ("binary_cross_entropy", "torch.nn.BCEWithLogitsLoss", "binary_cross_entropy:mean",
    row("losses.binary_cross_entropy:sum")),
    ("huber", "torch.nn.HuberLoss", "huber", row("losses.huber:sum")),
    ("smooth_l1", "torch.nn.SmoothL1Loss", "smooth_l1", row("losses.smooth_l1:absolute")),
)  # fmt: skip
PENALTIES = "test_penalties.py::"
TREE = "models/test_decision_tree.py::test_"
METRICS = "metrics/test_sklearn_parity.py::test_averages_and_zero_divisions"

CONVENTIONS = (
    *(
        Convention(
            f"losses.{name}", "outputs",
            (
                Form("mean", f"mean over the outputs of an example: its mean over a batch is `{twin}`",
                     row(f"losses.{mean}")),
                Form("sum", "sum over the outputs, as the texts print the cost of an example; ten outputs "
                            "are a factor of 10",
                     total),
            ),
        )
        for name, twin, mean, total in OUTPUTS
    ),
    Convention(
        "losses.reduce", "reduction",
        (
            Form("mean", "(1/m) sum: `reduction=\"mean\"` of `torch.nn`", row("losses.reduce:mean_weights")),
            Form("sum", "sum, the total cost of some texts: `reduction=\"sum\"` of `torch.nn`",
                 row("losses.reduce:sum")),
            Form("half_mean", "1/(2m) sum, as texts print it for regression", row("losses.reduce:half_mean")),
        ),
    ),
    Convention(
        "losses.reduce", "weighted",
        (
            Form(False, "values are multiplied by the weights of their examples",
                 row("losses.reduce:mean_weights")),
            Form(True, "values carry their weights already: the mean of "
                       "`torch.nn.CrossEntropyLoss(weight=...)`",
                 "test_losses.py::test_the_mean_with_class_weights_is_that_of_torch"),
        ),
    ),
    *(
        Convention(
            f"losses.{name}", "form",
            (
                Form("euclidean", f"d = sqrt(sum (a - b)^2): {euclidean}", row(f"losses.{name}:euclidean")),
                Form("squared_euclidean", f"d^2: {squared}", row(f"losses.{name}:squared_euclidean")),
            ),
        )
        for name, euclidean, squared in (
            ("distance", "`torch.nn.PairwiseDistance(eps=0)`", "as the texts measure embeddings"),
            ("triplet", "`torch.nn.TripletMarginLoss(eps=0)`",
            "FaceNet's and the texts'; margins do not compare"),
        )
    ),
    Convention(
        "losses.l2_penalty", "form",
        (
            Form("half_sum", "c/2 sum w^2: `torch.optim.SGD(weight_decay=c)`",
                 PENALTIES + "test_forms_are_factors"),
            Form("sum", "c sum w^2: Keras's `L2(c)`, without a half", PENALTIES + "test_forms_are_factors"),
            Form("mean", "lambda/m sum w^2, m the size of the training set",
                 PENALTIES + "test_forms_are_factors"),
            Form("half_mean", "lambda/(2m) sum w^2, the texts'; beside 1/(2m) sum (f - y)^2 scikit-learn's "
                              "`Ridge(lambda)`",
                 PENALTIES + "test_ridge_of_scikit_learn_is_the_minimum"),
        ),
    ),
    Convention(
        "losses.l1_penalty", "form",
        (
            Form("half_sum", "c/2 sum abs w", PENALTIES + "test_forms_are_factors"),
            Form("sum", "c sum abs w: Keras's `L1(c)`", PENALTIES + "test_forms_are_factors"),
            Form("mean", "lambda/m sum abs w; beside 1/(2m) sum (f - y)^2 scikit-learn's "
                         "`Lasso(alpha=lambda/m)`",
                 PENALTIES + "test_lasso_of_scikit_learn_is_where_proximal_steps_end"),
            Form("half_mean", "lambda/(2m) sum abs w", PENALTIES + "test_forms_are_factors"),
        ),
    ),
    *(
        Convention(
            f"metrics.{name}", "average",
            (
                Form("none", f"one value a class: `sklearn.metrics.{name}_score(average=None)`", METRICS),
                Form("macro", "the mean over classes: `average=\"macro\"`", METRICS),
                Form("micro", "from the counts of all classes: `average=\"micro\"`", METRICS),
                Form("weighted", "the mean weighted by the size of the classes: `average=\"weighted\"`",
                     METRICS),
            ),
        )
        for name in ("precision", "recall", "f1")
    ),
    *(
        Convention(
            name, "criterion",
            (
                Form("entropy", "-sum p log2 p, in bits: scikit-learn's `criterion=\"entropy\"`; `0 log 0 "
                                "= 0`", entropy),
                Form("gini", "1 - sum p^2: scikit-learn's `criterion=\"gini\"`, its default", gini),
            ),
        )
        for name, entropy, gini in (
            ("impurity.information_gain", row("impurity.information_gain:entropy"),
            row("impurity.information_gain:gini")),
            ("models.decision_tree.fit", TREE + "equals_sklearn_node_by_node",
            TREE + "equals_sklearn_node_by_node"),
        )
    ),
    Convention(
        "models.decision_tree.fit", "min_gain_of",
        (
            Form("tree", "the gain times the node's share of all weight: scikit-learn's "
                         "`min_impurity_decrease`",
                 TREE + "equals_sklearn_node_by_node"),
            Form("node", "the gain at the node itself, as textbooks compare it",
                 "models/test_decision_tree.py::test_min_gain_is_of_the_tree_or_of_the_node"),
        ),
    ),
    Convention(
        "models.perceptron.fit", "on_boundary",
        (
            Form("mistake", "an example of class 0 with w.x + b = 0 is a mistake: scikit-learn's "
                            "`Perceptron`",
                 "models/test_perceptron.py::test_equals_scikit_learn"),
            Form("class_0", "it is right, as the unit answers and the texts print",
                 "models/test_perceptron.py::test_the_printed_rule_in_numpy"),
        ),
    ),
    Convention(
        "features.polynomial", "include_bias",
        (
            Form(True, "a first column of ones: `sklearn.preprocessing.PolynomialFeatures`",
                 row("features.polynomial")),
            Form(False, "none, since the linear models here have a bias: "
                        "`PolynomialFeatures(include_bias=False)`",
                 row("features.polynomial:cubic")),
        ),
    ),
    Convention(
        "features.polynomial", "interaction_only",
        (
            Form(False, "all monomials: `sklearn.preprocessing.PolynomialFeatures`",
                 row("features.polynomial")),
            Form(True, "products of distinct features: `PolynomialFeatures(interaction_only=True)`",
                 row("features.polynomial:crossed")),
        ),
    ),
    Convention(
        "backprop.backpropagation", "layout",
        (
            Form("inputs_first", "z = x W + b, W (inputs, outputs): flax and Keras",
                 "test_backprop.py::test_layouts_are_transposes"),
            Form("outputs_first", "z = W x + b, W (outputs, inputs): torch and the texts",
                 "test_backprop.py::test_layouts_are_transposes"),
        ),
    ),
    Convention(
        "style.gram", "normaliser",
        (
            Form("none", "sum over positions, as Gatys et al. define G", row("style.gram:none")),
            Form("positions", "divided by the positions, so that pictures of several sizes compare",
                 row("style.gram:positions")),
            Form("size", "divided by positions times channels", row("style.gram:size")),
        ),
    ),
    Convention(
        "style.content_loss", "normaliser",
        (
            Form("half", "1/2 sum (F - P)^2, Gatys et al., equation 1", row("style.content_loss:half")),
            Form("quarter_mean", "1/(4 N M) sum, N channels, M positions",
                 row("style.content_loss:quarter_mean")),
            Form("mean", "1/(N M) sum", row("style.content_loss:mean")),
        ),
    ),
    Convention(
        "style.style_loss", "normaliser",
        (
            Form("gatys", "1/(4 N^2) sum (G/M - A/M')^2: equation 4 of Gatys et al. for one size",
                 row("style.style_loss:gatys")),
            Form("mean", "1/N^2 sum (G/M - A/M')^2", row("style.style_loss:mean")),
        ),
    ),
    Convention(
        "style.total_variation", "kind",
        (
            Form("absolute", "sum of absolute differences: `tf.image.total_variation`",
                 row("style.total_variation:absolute")),
            Form("squared", "sum of squared differences", row("style.total_variation:squared")),
        ),
    ),
)  # fmt: skip
