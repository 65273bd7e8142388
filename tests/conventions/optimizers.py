"""Conventions of optimizers and of training."""

from conventions.common import Convention, Form

TITLE = "Optimizers and training"
TORCH = "test_optim.py::test_hundred_steps_equal_torch"
KERAS = "test_optim.py::test_hundred_steps_at_two_rates_equal_keras"
OPTAX = "test_optim.py::test_equals_optax"
AVERAGE = "test_optim_parts.py::test_ema_equals_optax_value_by_value"
ORDER = "train/test_order.py::"

CONVENTIONS = (
    Convention(
        "optim.momentum", "form",
        (
            Form("heavy_ball", "v = b v + g; w -= lr v: `torch.optim.SGD(momentum=b)`, `optax.sgd(lr, b)`",
                 TORCH),
            Form("average", "v = b v + (1 - b) g; w -= lr v, as the texts print it: "
                            "`optax.chain(optax.ema(b, debias=False), "
                 "optax.scale(-lr))`; for constant b the heavy ball at lr (1 - b). Torch's `dampening=b` "
                 "is not it", OPTAX),
            Form("velocity", "v = b v - lr g; w += v: `keras.optimizers.SGD(momentum=b)`; the heavy ball "
                             "while lr is constant", KERAS),
        ),
    ),
    Convention(
        "optim.momentum", "debias",
        (
            Form(False, "the velocity as it is", OPTAX),
            Form(True, "the average divided by 1 - b^t: `optax.ema(b, debias=True)`; for `form=\"average\"`",
                 OPTAX),
        ),
    ),
    Convention(
        "optim.nesterov", "form",
        (
            Form("heavy_ball", "v = b v + g; w -= lr (g + b v): `torch.optim.SGD(nesterov=True)`, "
                               "`optax.sgd(nesterov=True)`", TORCH),
            Form("velocity", "v = b v - lr g; w += b v - lr g: `keras.optimizers.SGD(nesterov=True)`", KERAS),
        ),
    ),
    Convention(
        "optim.adagrad", "eps_inside",
        (
            Form(False, "lr g / (sqrt h + eps), the texts': `torch.optim.Adagrad(eps=eps)`", TORCH),
            Form(True, "lr g / sqrt(h + eps): with `start=0.1` `optax.adagrad`", OPTAX),
        ),
    ),
    Convention(
        "optim.rmsprop", "eps_inside",
        (
            Form(False, "lr g / (sqrt s + eps), the texts': `torch.optim.RMSprop`, "
                        "`optax.rmsprop(eps_in_sqrt=False)`", TORCH),
            Form(True, "lr g / sqrt(s + eps): `optax.rmsprop`, `keras.optimizers.RMSprop`", KERAS),
        ),
    ),
    Convention(
        "optim.adam", "form",
        (
            Form("corrected_root", "eps joins the corrected root: `torch.optim.Adam`, `optax.adam`, "
                                   "the texts", TORCH),
            Form("scaled_rate", "the corrections scale lr, and eps joins the uncorrected root: "
                                "`keras.optimizers.Adam`", KERAS),
        ),
    ),
    Convention(
        "optim.adamw", "decayed",
        (
            Form("weights", "biases and norms are not decayed",
                 "test_optim_parts.py::test_weights_are_decayed_biases_and_norms_are_not"),
            Form("all", "every parameter is: `torch.optim.AdamW`, `optax.adamw`", TORCH),
        ),
    ),
    Convention(
        "optim.weight_decay", "decayed",
        (
            Form("weights", "biases and norms are not decayed",
                 "train/test_frozen.py::test_biases_may_be_trained_alone_by_a_rule_with_weight_decay"),
            Form("all", "every parameter is: before `momentum`, `torch.optim.SGD(weight_decay=c)`", TORCH),
        ),
    ),
    Convention(
        "optim.ema", "debias",
        (
            Form(True, "v / (1 - b^t), v itself kept raw: `optax.ema`", AVERAGE),
            Form(False, "v as it is, drawn to 0 at the start: `optax.ema(debias=False)`", AVERAGE),
        ),
    ),
    *(
        Convention(
            name, "shuffle",
            (
                Form("permutation", "every example at most once an epoch: "
                                    "`torch.utils.data.DataLoader(shuffle=True, drop_last=True)`",
                     ORDER + "test_permutation_sees_an_example_at_most_once_and_differs_by_epoch"),
                Form("replacement", "drawn with replacement, as some texts take mini-batches: torch's "
                                    "`RandomSampler(replacement=True)`",
                     ORDER + "test_replacement_draws_examples_twice"),
                Form("none", "in order, an epoch going on where the last one stopped; where batches fit, "
                             "`DataLoader(shuffle=False)`",
                     ORDER + "test_none_goes_on_where_the_last_epoch_stopped"),
            ),
        )
        for name in ("train.batch_order",)
    ),
    Convention(
        "train.Spec", "shuffle",
        (
            Form("permutation", "as `train.batch_order` says",
                 "train/test_make_train.py::test_equals_a_plain_loop"),
            Form("replacement", "as `train.batch_order` says",
                 "train/test_rates.py::test_batch_mini_batch_and_single_example_descent"),
            Form("none", "as `train.batch_order` says",
                 "test_penalties.py::test_the_penalty_of_the_texts_is_weight_decay"),
        ),
    ),
    Convention(
        "train.Spec", "reduction",
        (
            Form("mean", "a step descends the mean of its batch",
                 "train/test_make_train.py::test_reductions_scale_the_step"),
            Form("sum", "the sum: the rate then grows with the batch",
                 "train/test_make_train.py::test_reductions_scale_the_step"),
            Form("half_mean", "1/(2m) sum, as texts print it: half the step",
                 "train/test_make_train.py::test_reductions_scale_the_step"),
        ),
    ),
    Convention(
        "train.evaluate", "reduction",
        (
            Form("mean", "(1/m) sum over every example once",
                 "train/test_fit.py::test_reduction_is_remembered"),
            Form("half_mean", "1/(2m) sum", "train/test_fit.py::test_reduction_is_remembered"),
        ),
    ),
    Convention(
        "optim.frozen", "statistics",
        (
            Form("running", "frozen batch norms use their running statistics: Keras's `trainable = False`",
                 "train/test_frozen.py::test_statistics_of_the_batch_or_of_the_run"),
            Form("batch", "they use the batch's and keep the running ones as they are",
                 "train/test_frozen.py::test_statistics_of_the_batch_or_of_the_run"),
        ),
    ),
)  # fmt: skip
