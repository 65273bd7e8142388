"""Conventions of initialisers, layers and kernels."""

from conventions.common import Convention, Form, row

TITLE = "Initialisers, layers and kernels"
VARIANCE = "test_initializers.py::test_measured_variance"
LIBRARIES = "test_initializers.py::test_library_defaults_have_the_variance_of_the_library"
RECURRENT = "layers/test_recurrent_layers.py::"
GOLDEN = "weights/test_torch_recurrent.py::"
TORCH_RNN = GOLDEN + "test_outputs_carries_and_gradients_equal_torch"
KERNELS = "kernels/test_recurrent.py::test_each_form_is_its_formula"
FORMULAS = RECURRENT + "test_conventions_equal_their_formulas"
POOLS = "kernels/test_pool.py::"
TRUNCATED = "test_initializers.py::test_truncated_forms_equal_jax"
RESPONSE = POOLS + "test_response_norm_equals_loops_and_torch"
POOL_LAYERS = "layers/test_pool_layers.py::"

CONVENTIONS = (
    *(
        Convention(
            f"initializers.{name}", "distribution",
            (
                Form("normal", f"N(0, {variance}){normal}", VARIANCE),
                Form("truncated_normal", f"cut at two deviations and rescaled{truncated}",
                     TRUNCATED if truncated else VARIANCE),
                Form("uniform", f"U of the same variance{uniform}", VARIANCE),
            ),
        )
        for name, variance, normal, truncated, uniform in (
            ("lecun", "1/n_in", "", ": `jax.nn.initializers.lecun_normal`, Keras's `LecunNormal`",
            ": Keras's `LecunUniform`"),
            ("he", "2/n_in", ": `torch.nn.init.kaiming_normal_`",
            ": `jax.nn.initializers.he_normal`, Keras's `HeNormal`",
             ": `torch.nn.init.kaiming_uniform_(a=0)`"),
            ("glorot", "2/(n_in + n_out)", ": `torch.nn.init.xavier_normal_`",
            ": `jax.nn.initializers.glorot_normal`",
             ": Keras's `Dense`"),
            ("xavier", "by `fans`", "", "", ""),
        )
    ),
    Convention(
        "initializers.xavier", "fans",
        (
            Form("in_and_out", "2/(n_in + n_out): what libraries call Xavier or Glorot", VARIANCE),
            Form("in", "1/n_in, which courses call Xavier for tanh: that of LeCun", VARIANCE),
        ),
    ),
    Convention(
        "initializers.library_default", "library",
        (
            Form("torch", "U(-1/sqrt n_in, 1/sqrt n_in), biases too: `torch.nn.Linear`", LIBRARIES),
            Form("keras", "Glorot's uniform, biases 0: `keras.layers.Dense`", LIBRARIES),
            Form("flax", "LeCun's truncated normal, biases 0: `flax.nnx.Linear`", LIBRARIES),
        ),
    ),
    Convention(
        "layers.Dropout", "scale",
        (
            Form("training", "x mask / keep in training, x in evaluation (inverted): `torch.nn.Dropout`, "
                             "Keras",
                 "layers/test_dropout.py::test_statistics_are_those_of_torch"),
            Form("evaluation", "x mask in training, x keep in evaluation: Srivastava et al., AlexNet",
                 "layers/test_dropout.py::test_training_agrees_with_evaluation_in_expectation"),
        ),
    ),
    Convention(
        "layers.BatchNorm", "running_variance",
        (
            Form("biased", "the batch's variance divided by n enters: flax and Keras",
                 "layers/test_batch_norm.py::test_running_variance_in_both_conventions"),
            Form("unbiased", "divided by n - 1: `torch.nn.BatchNorm1d`; outputs in training use the biased "
                             "one in both",
                 "layers/test_batch_norm.py::test_running_variance_in_both_conventions"),
        ),
    ),
    *(
        Convention(
            name, "alpha_divided",
            (
                Form(False, "k + alpha sum x^2, the paper's (AlexNet)", test),
                Form(True, "alpha divided by the window: `torch.nn.LocalResponseNorm`", test),
            ),
        )
        for name, test in (
            ("kernels.response_norm.local_response_norm", RESPONSE),
            ("layers.LocalResponseNorm", POOL_LAYERS + "test_arguments_reach_the_kernels"),
        )
    ),
    *(
        Convention(
            name, "ceil_mode",
            (
                Form(False, "a window that the end cuts off is left out: torch's and flax's default", no),
                Form(True, "it is taken: torch's `ceil_mode=True`, in GoogLeNet", yes),
            ),
        )
        for name, no, yes in (
            ("kernels.pool.max_pool", *[POOLS + "test_equals_torch"] * 2),
            ("kernels.pool.avg_pool", *[POOLS + "test_equals_torch"] * 2),
            ("layers.MaxPool", *[POOL_LAYERS + "test_what_becomes_of_a_window_that_the_end_cuts_off"] * 2),
            ("layers.AvgPool", *[POOL_LAYERS + "test_what_becomes_of_a_window_that_the_end_cuts_off"] * 2),
        )
    ),
    *(
        Convention(
            name, "count_include_pad",
            (
                Form(True, "the zeros of the padding count as entries: torch's and flax's default", yes),
                Form(False, "the mean of the entries alone: `count_include_pad=False`, Keras", no),
            ),
        )
        for name, yes, no in (
            ("kernels.pool.avg_pool", *[POOLS + "test_mean_and_its_gradient_equal_loops"] * 2),
            ("layers.AvgPool", *[POOL_LAYERS + "test_whether_zeros_of_the_padding_count_in_a_mean"] * 2),
        )
    ),
    Convention(
        "kernels.conv.conv_transpose", "use_consistent_padding",
        (
            Form(False, "explicit padding is of the dilated input: `jax.lax.conv_transpose`",
                 "kernels/test_conv.py::test_transposed_convolution_equals_lax_and_torch"),
            Form(True, "of the convolution whose gradient this is: `torch.nn.functional.conv_transpose2d`",
                 "test_forms.py::test_consistent_padding_is_that_of_the_convolution_whose_gradient_it_is"),
        ),
    ),
    Convention(
        "kernels.conv.conv_transpose", "transpose_kernel",
        (
            Form(False, "the window as it is: `jax.lax.conv_transpose`", row("kernels.conv.conv_transpose")),
            Form(True, "flipped, in and out swapped, the gradient of a convolution: torch",
                 "kernels/test_conv.py::test_transposed_convolution_with_named_padding"),
        ),
    ),
    *(
        Convention(
            name, "reset",
            (
                Form("after", "tanh(x W + b + r (h U + b')), with a bias of its own inside: "
                              "`torch.nn.GRU`, Keras's `reset_after=True`", after),
                Form("before", "tanh(x W + (r h) U + b), the first paper's: "
                               "`keras.layers.GRU(reset_after=False)`", before),
                Form(None, "no reset gate, as some texts print the GRU", none),
            ),
        )
        for name, after, before, none in (
            ("layers.GRU", TORCH_RNN, RECURRENT + "test_reset_before_equals_keras", FORMULAS),
            ("kernels.recurrent.gru", KERNELS, KERNELS,
            "kernels/test_recurrent.py::test_no_reset_is_torch_with_an_open_gate"),
        )
    ),
    *(
        Convention(
            name, "update",
            (
                Form("state", "h = (1 - z) n + z h: `torch.nn.GRU`, Keras", state),
                Form("candidate", "h = z n + (1 - z) h: the texts'", candidate),
            ),
        )
        for name, state, candidate in (
            ("layers.GRU", TORCH_RNN, FORMULAS),
            ("kernels.recurrent.gru", KERNELS, KERNELS),
            *((f"weights.{way}_torch_recurrent", TORCH_RNN,
               GOLDEN + "test_without_biases_and_with_the_other_update_gate") for way in ("from", "to")),
        )
    ),
    *(
        Convention(
            name, "output_tanh",
            (
                Form(True, "a = o tanh(c): `torch.nn.LSTM`, Keras, flax", yes),
                Form(False, "a = o c, as some texts print it", no),
            ),
        )
        for name, yes, no in (("layers.LSTM", TORCH_RNN, FORMULAS), ("kernels.recurrent.lstm", KERNELS,
        KERNELS))
    ),
    *(
        Convention(
            name, "coupled",
            (
                Form(False, "f and i are gates of their own: `torch.nn.LSTM`, Keras, flax", no),
                Form(True, "f = 1 - i (coupled gates)", yes),
            ),
        )
        for name, no, yes in (("layers.LSTM", TORCH_RNN, FORMULAS), ("kernels.recurrent.lstm", KERNELS,
        KERNELS))
    ),
    Convention(
        "layers.LSTM", "peephole",
        (
            Form(False, "the gates do not see c: `torch.nn.LSTM`, Keras, flax", TORCH_RNN),
            Form(True, "they do: Gers and Schmidhuber", FORMULAS),
        ),
    ),
    *(
        Convention(
            name, "activation",
            (
                Form("tanh", "g of the recurrent layer: `torch.nn.RNN`", tanh),
                Form("relu", "`torch.nn.RNN(nonlinearity=\"relu\")`", relu),
            ),
        )
        for name, tanh, relu in (("layers.RNN", TORCH_RNN, TORCH_RNN), ("kernels.recurrent.rnn", KERNELS,
        KERNELS))
    ),
    Convention(
        "layers.DotAttention", "scaled",
        (
            Form(True, "s.a / sqrt(features): Vaswani et al., "
                       "`torch.nn.functional.scaled_dot_product_attention`",
                 "test_forms.py::test_dot_attention_is_a_softmax_of_products"),
            Form(False, "s.a: Luong et al.", "test_forms.py::test_dot_attention_is_a_softmax_of_products"),
        ),
    ),
    *(
        Convention(
            f"filters.{name}", "padding",
            (
                Form("VALID", "only where the kernel lies inside: torch's `padding=0`",
                     row(f"filters.{name}:VALID")),
                Form("SAME", "zeros around it, the size stays", row(f"filters.{name}:SAME")),
            ),
        )
        for name in ("apply", "as_matrix")
    ),
)  # fmt: skip
