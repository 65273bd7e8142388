"""Conventions of models: forms of papers and of torchvision."""

from conventions.common import Convention, Form

TITLE = "Models"
MLP = "models/test_mlp.py::"
ALEX = "models/test_alexnet.py::"
LENET = "models/test_lenet.py::"
FORMS = "test_forms.py::"
NORM = "layers/test_batch_norm.py::test_an_mlp_with_batch_norm_equals_torch"

CONVENTIONS = (
    Convention(
        "models.MLPConfig", "norm_place",
        (
            Form("before_activation", "z is normalised, the bias dropped: the paper's", NORM),
            Form("after_activation", "a is normalised", NORM),
        ),
    ),
    Convention(
        "models.MLPConfig", "norm_variance",
        (
            Form("biased", "as `layers.BatchNorm`: flax, Keras", FORMS + "test_running_variances_of_an_mlp"),
            Form("unbiased", "as `layers.BatchNorm`: torch", NORM),
        ),
    ),
    Convention(
        "models.MLPConfig", "dropout_scale",
        (
            Form("training", "inverted dropout, as `layers.Dropout`",
                 MLP + "test_dropout_scaled_in_evaluation"),
            Form("evaluation", "the paper's, as `layers.Dropout`", MLP + "test_dropout_scaled_in_evaluation"),
        ),
    ),
    Convention(
        "models.MLPConfig", "bias_init",
        (
            Form("zeros", "Keras, flax", MLP + "test_biases_begin_at_zero_unless_they_are_torchs"),
            Form("torch", "U(-1/sqrt n, 1/sqrt n): `torch.nn.Linear`",
                 MLP + "test_biases_begin_at_zero_unless_they_are_torchs"),
        ),
    ),
    Convention(
        "models.LeNet5Config", "connections",
        (
            Form("all", "each map of C3 sees all of S2: 61,706 parameters in all",
                 LENET + "test_counts_of_the_published_table"),
            Form("table", "by the paper's table: 60,000 with the other forms of the paper",
                 LENET + "test_counts_of_the_published_table"),
        ),
    ),
    Convention(
        "models.LeNet5Config", "pool",
        (
            Form("max", "the modern form", LENET + "test_equals_torch_in_value_and_gradient"),
            Form("average", "means without parameters",
                 FORMS + "test_means_may_stand_for_the_maxima_of_lenet"),
            Form("subsample", "a trained coefficient and bias by map: the paper's",
                 LENET + "test_equals_torch_in_value_and_gradient"),
        ),
    ),
    Convention(
        "models.LeNet5Config", "output",
        (
            Form("linear", "logits", LENET + "test_equals_torch_in_value_and_gradient"),
            Form("codes", "minus the squared distances to bitmaps of the digits: the paper's",
                 LENET + "test_equals_torch_in_value_and_gradient"),
        ),
    ),
    Convention(
        "models.LeNet5Config", "kernel_init",
        (
            Form("he", "N(0, 2/n)", LENET + "test_initial_weights_of_the_modern_form_are_hes"),
            Form("published", "U(-2.4/n, 2.4/n): the paper's",
                 LENET + "test_published_initial_weights_stay_within_their_fans"),
        ),
    ),
    Convention(
        "models.AlexNetConfig", "dropout_place",
        (
            Form("before", "before each hidden dense layer: torchvision", ALEX + "test_where_dropout_stands"),
            Form("after", "after its activation: the paper", ALEX + "test_where_dropout_stands"),
        ),
    ),
    Convention(
        "models.AlexNetConfig", "dropout_scale",
        (
            Form("training", "inverted: torchvision", ALEX + "test_inverted_dropout_lets_evaluation_be"),
            Form("evaluation", "the paper's", ALEX + "test_dropout_in_training_and_evaluation"),
        ),
    ),
    Convention(
        "models.AlexNetConfig", "init",
        (
            Form("he", "N(0, 2/n), biases 0", ALEX + "test_initial_parameters"),
            Form("paper", "N(0, 0.01^2), some biases 1", ALEX + "test_initial_parameters"),
        ),
    ),
    Convention(
        "models.VGGConfig", "init",
        (
            Form("he", "N(0, 2/n_in); torchvision takes n_out", "models/test_vgg.py::test_initial_weights"),
            Form("glorot", "what the paper recommends afterwards",
                 "models/test_vgg.py::test_initial_weights"),
            Form("paper", "N(0, 0.1^2)", "models/test_vgg.py::test_initial_weights"),
        ),
    ),
    Convention(
        "models.VGGConfig", "conv_bias",
        (
            Form(True, "a bias before batch norm, as torchvision's weights bring",
                 "models/test_vgg.py::test_equals_torch_in_value_and_gradient"),
            Form(False, "none: beta does its work",
                 FORMS + "test_convolutions_of_vgg_before_batch_norm_with_and_without_a_bias"),
        ),
    ),
    Convention(
        "models.GoogLeNetConfig", "auxiliary_pool",
        (
            Form("adaptive", "to 4 x 4 from any size: torchvision",
                 "models/test_googlenet.py::test_auxiliary_heads_answer_in_training_alone"),
            Form("window", "5 x 5 of stride 3: the paper",
                 "models/test_googlenet.py::test_auxiliary_heads_of_the_paper_take_one_size"),
        ),
    ),
    Convention(
        "models.GoogLeNetConfig", "batch_norm",
        (
            Form(True, "torchvision's", FORMS + "test_what_is_normalised_in_googlenet"),
            Form(False, "the paper, which has local response norms instead",
                 FORMS + "test_what_is_normalised_in_googlenet"),
        ),
    ),
    Convention(
        "models.ResNetConfig", "stride_on",
        (
            Form("3x3", "torchvision", FORMS + "test_which_convolution_of_a_bottleneck_halves_the_image"),
            Form("1x1", "the paper", FORMS + "test_which_convolution_of_a_bottleneck_halves_the_image"),
        ),
    ),
    Convention(
        "models.ResNetConfig", "norm_variance",
        (
            Form("unbiased", "torch", "models/test_resnet.py::test_a_whole_network_equals_torch"),
            Form("biased", "flax, Keras", FORMS + "test_running_variances_of_a_residual_network"),
        ),
    ),
    Convention(
        "models.ResNetConfig", "shortcut",
        (
            Form("projection", "1x1 convolution and batch norm: torchvision, option B",
                 "models/test_resnet.py::test_a_whole_network_equals_torch"),
            Form("pad", "channels of zeros, without parameters: option A",
                 FORMS + "test_a_residual_network_may_pad_its_shortcuts"),
        ),
    ),
    Convention(
        "models.CifarResNetConfig", "shortcut",
        (
            Form("pad", "option A of the paper, without parameters",
                 "models/test_resnet_cifar.py::test_it_equals_torch"),
            Form("projection", "option B",
                 "models/test_resnet_cifar.py::test_projections_add_their_parameters"),
        ),
    ),
)  # fmt: skip
