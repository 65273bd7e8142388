"""Where every system of the library is shown: by examples, or else by its function and the test of it.

A row is what it is, then either the names of examples or, with a colon in each, ``path:function path:test``.
"""

ROWS: dict[str, tuple[tuple[str, str], ...]] = {
    "Activations": (
        ("the step, with a value at 0 and no slope anywhere", "gates activations"),
        (
            "identity, sigmoid, tanh, softsign, ReLU, leaky ReLU, PReLU, swish, with derivatives",
            "activations",
        ),
        (
            "softmax, and a row that is wholly masked",
            "jaxdl/activations/probabilities.py:softmax "
            "tests/test_activations.py:test_a_row_that_is_wholly_masked_is_zero",
        ),
        ("the loss and the output activation of a task", "activations"),
    ),
    "Losses": (
        (
            "squared error in its three scalings",
            "jaxdl/losses/regression.py:squared_error "
            "tests/test_losses.py:test_three_scalings_of_the_squared_error",
        ),
        ("squared cost of a network of sigmoids", "mnist"),
        ("binary cross-entropy from logits", "losses boundaries"),
        (
            "worked results: no slope in accuracy, the squared cost that is not convex, likelihood",
            "losses "
            "jaxdl/losses/binary.py:binary_cross_entropy "
            "tests/test_worked_losses.py:test_softmax_of_two_classes_is_logistic",
        ),
        (
            "softmax cross-entropy, labels as numbers or one-hot rows",
            "digits "
            "jaxdl/losses/classification.py:softmax_cross_entropy "
            "tests/test_losses.py:test_label_rows_out_of_range_poison_their_own_example",
        ),
        (
            "several labels at once, each of two classes or of more",
            "activations "
            "jaxdl/losses/binary.py:multi_label_cross_entropy "
            "tests/test_losses.py:test_labels_out_of_range_poison_their_own_example_whatever_the_loss",
        ),
        ("Huber and smooth L1", "losses"),
        ("triplet loss", "one_shot recognition"),
        (
            "contrastive loss",
            "jaxdl/losses/similarity.py:contrastive "
            "tests/test_losses.py:test_contrastive_is_that_of_the_paper",
        ),
        (
            "label smoothing",
            "jaxdl/losses/classification.py:softmax_cross_entropy "
            "tests/test_losses.py:test_the_mean_with_class_weights_is_that_of_torch",
        ),
        (
            "weights of classes and of examples",
            "losses error_analysis "
            "jaxdl/losses/reduction.py:reduce "
            "tests/test_losses.py:test_sample_weights_are_repetitions_and_0_is_absence",
        ),
        ("L2 penalty", "bias_variance"),
        ("L1 penalty, whose exact zeros take a proximal step", "losses"),
    ),
    "Gradients": (
        ("central differences against automatic derivatives", "gradients"),
        ("the computation graph, node by node", "gradients"),
        ("the recursion of layer errors", "gradients"),
        ("mean of the gradients of examples, against that of the batch", "gradients"),
        ("numerical and automatic gradients by the clock; loops and dot products too", "gradients"),
        ("descent with a rate too small, right and too large", "gradients"),
        ("a local minimum that momentum leaves, the gradient field, the zig-zag", "optimizer_paths"),
    ),
    "Optimizers": (
        (
            "gradient descent by batch, mini-batch or single example",
            "optimizer_paths digits "
            "jaxdl/train/spec.py:Spec "
            "tests/train/test_rates.py:test_batch_mini_batch_and_single_example_descent",
        ),
        ("momentum in its three forms", "optimizer_paths"),
        ("Nesterov's momentum", "cifar_resnet"),
        ("AdaGrad", "optimizer_paths"),
        ("RMSProp", "jaxdl/optim/adaptive.py:rmsprop tests/test_optim.py:test_hundred_steps_equal_torch"),
        ("Adam, and its form with the rate corrected", "optimizer_paths"),
        (
            "exponentially weighted average with bias correction",
            "jaxdl/optim/average.py:ema tests/test_optim_parts.py:test_ema_equals_optax_value_by_value",
        ),
        (
            "AdamW, which leaves biases and norms alone",
            "jaxdl/optim/adam.py:adamw "
            "tests/test_optim_parts.py:test_weights_are_decayed_biases_and_norms_are_not",
        ),
        ("clipping by the global norm", "vanishing_gradients"),
        ("warm-up and cosine; rate and gradient norm read from the run", "learning_rate"),
        ("four optimizers over the classic valley", "optimizer_paths"),
        ("hyperparameters that are swept in one program", "sweep"),
    ),
    "Linear models and model selection": (
        ("the perceptron and its rule; gates; XOR", "gates"),
        ("linear regression, ridge, polynomial features", "bias_variance"),
        ("lasso", "losses"),
        ("logistic regression with boundaries of any order", "boundaries"),
        (
            "softmax regression, and labels that go together",
            "jaxdl/models/softmax_regression.py:fit "
            "tests/models/test_logistic_regression.py:test_softmax_equals_scikit_learn",
        ),
        (
            "scaling of features in four ways",
            "jaxdl/scaling.py:z_score tests/test_scaling.py:test_equals_scikit_learn_fitted_on_train",
        ),
        ("descent until it converges, and how it ended", "gates boundaries"),
        (
            "regression on one feature in closed form",
            "jaxdl/models/linear_regression.py:line "
            "tests/models/test_linear_regression.py:test_line_equals_polyfit",
        ),
        ("splits by class and seed", "digits decision_tree"),
        ("candidates compared by validation, the test set asked once", "bias_variance"),
        ("bias and variance, with a verdict and advice", "bias_variance"),
        ("confusion, precision, recall, F1, thresholds", "error_analysis"),
        ("decision trees", "decision_tree"),
        ("random search from coarse to fine", "bias_variance"),
        ("structural risk", "bias_variance"),
    ),
    "Dense networks": (
        ("784-16-16-10 on MNIST", "mnist"),
        ("linear layers are one matrix", "dense_networks"),
        ("networks of any widths, activation and penalty", "digits bias_variance"),
        ("first weights, by rule", "initializers"),
        ("dropout, inverted and not", "dense_networks"),
        ("batch norm before the activation or behind it, and the noise it adds", "dense_networks"),
        ("gradients and activations by depth", "initializers"),
        ("transfer to a new task; parts that stay frozen", "transfer learning_rate"),
        ("augmentation, and digits on backgrounds", "augmentation"),
    ),
    "Convolutional family": (
        ("convolution along one, two and three axes", "signals_and_volumes lenet"),
        (
            "stride, dilation, groups, padding",
            "kernels/conv.py:conv_general_dilated "
            "tests/kernels/test_conv.py:test_value_and_gradients_equal_loops",
        ),
        (
            "transposed convolution",
            "kernels/conv.py:conv_transpose "
            "tests/kernels/test_conv.py:test_transposed_convolution_equals_lax_and_torch",
        ),
        ("pooling: largest, mean, global", "lenet cifar_resnet"),
        (
            "local response norm",
            "kernels/response_norm.py:local_response_norm "
            "tests/kernels/test_pool.py:test_response_norm_equals_loops_and_torch",
        ),
        ("LeNet-5, of 1998 and modern", "lenet"),
        (
            "AlexNet, of the paper and of torchvision",
            "jaxdl/models/alexnet.py:AlexNet tests/models/test_alexnet.py:test_parameters_and_multiply_adds",
        ),
        (
            "VGG of 11 to 19 layers",
            "jaxdl/models/vgg.py:VGG tests/models/test_vgg.py:test_parameters_and_multiply_adds",
        ),
        (
            "ResNet of 18 to 152 layers",
            "jaxdl/models/resnet.py:ResNet tests/models/test_resnet.py:test_parameters_are_those_published",
        ),
        ("residual networks of 20 to 110 layers for small images", "cifar_resnet"),
        (
            "1x1 bottlenecks",
            "jaxdl/models/inception.py:Inception tests/models/test_googlenet.py:test_bottlenecks_in_numbers",
        ),
        (
            "GoogLeNet: Inception and auxiliary heads",
            "jaxdl/models/googlenet.py:GoogLeNet "
            "tests/models/test_googlenet.py:test_auxiliary_heads_answer_in_training_alone",
        ),
        ("edges on a photograph; what sharing saves", "why_convolution"),
        ("waveforms in noise, and solids that are turned", "signals_and_volumes"),
        (
            "weights of torchvision",
            "jaxdl/weights/torchvision.py:from_torchvision "
            "tests/weights/test_torchvision.py:test_logits_are_those_of_torchvision_and_the_way_back_is_exact",
        ),
        ("what units see", "unit_patches"),
        ("style transfer", "style_transfer"),
    ),
    "Detection": (
        ("one object or none, where, and which", "localisation"),
        ("sliding windows as one convolution", "sliding_windows"),
        (
            "formats of boxes, overlap, offsets",
            "jaxdl/boxes/overlap.py:iou tests/test_boxes.py:test_overlap_equals_torchvision_to_the_last_bit",
        ),
        (
            "non-max suppression, single and by class",
            "kernels/nms.py:nms "
            "tests/test_boxes.py:test_suppression_keeps_what_torchvision_keeps_whatever_the_padding",
        ),
        ("anchors, their assignment, their shapes by k-means", "faster_rcnn"),
        ("YOLO, of 2016 and with anchors", "yolo"),
        ("R-CNN, Fast R-CNN, Faster R-CNN; selective search", "detection_family"),
        (
            "RoI pool and RoI align",
            "kernels/roi.py:roi_align tests/kernels/test_roi.py:test_value_and_gradient_equal_torchvision",
        ),
        ("mean average precision", "yolo faster_rcnn"),
        ("scenes composed of real digits", "scenes"),
    ),
    "Similarity": (
        ("is it the same? a siamese network and its threshold", "recognition"),
        ("triplets mined inside the step", "one_shot recognition"),
        ("one example a class, of classes never seen in training", "one_shot"),
        ("a threshold chosen in validation, with the curve over all", "recognition"),
        ("faces: the same person, or who of many", "recognition"),
    ),
    "Recurrent family": (
        (
            "words as numbers and one-hot rows, and the word that nobody knows",
            "jaxdl/data/vocabulary.py:Vocabulary tests/data/test_data_text.py:test_one_hot_rows",
        ),
        ("the simple network", "vanishing_gradients"),
        ("many to one", "digits_by_rows"),
        ("many to many, of equal length", "tagging"),
        ("many to many, of other length", "translator"),
        ("one to many", "one_to_many"),
        ("cross-entropy over sequences, masked by length", "characters"),
        (
            "binary cross-entropy by step",
            "jaxdl/losses/sequence.py:sequence_binary_cross_entropy "
            "tests/test_sequence_losses.py:test_several_outputs_a_step_are_summed",
        ),
        ("sampling: argmax, temperature, top k, beams", "characters"),
        ("gradients that vanish in time, and clipping", "vanishing_gradients"),
        ("GRU", "characters vanishing_gradients"),
        (
            "GRU of the texts, without a reset gate",
            "jaxdl/layers/recurrent.py:GRU "
            "tests/layers/test_recurrent_layers.py:test_the_gru_of_the_texts_is_torchs_with_an_open_reset_gate",
        ),
        ("LSTM", "digits_by_rows vanishing_gradients"),
        (
            "LSTM of the texts, without the last tanh; peepholes, coupled gates",
            "jaxdl/layers/recurrent.py:LSTM "
            "tests/layers/test_recurrent_layers.py:test_conventions_equal_their_formulas",
        ),
        ("both directions", "tagging"),
        (
            "deep stacks, with dropout between layers",
            "jaxdl/layers/recurrent.py:RNN "
            "tests/layers/test_recurrent_layers.py:test_dropout_acts_between_layers_alone",
        ),
        (
            "a cell of one's own",
            "jaxdl/layers/any_cell.py:Recurrent "
            "tests/layers/test_any_cell.py:test_the_lstm_of_flax_equals_ours",
        ),
        ("attention over the states of an encoder", "translator"),
        (
            "dot products, scaled or not, and many heads",
            "jaxdl/layers/attention.py:MultiHeadAttention "
            "tests/layers/test_attention_layers.py:test_several_heads_equal_torch",
        ),
        ("a translator from sequence to sequence", "translator"),
        ("a model of characters", "characters"),
    ),
    "Policy gradient": (("REINFORCE on a small world, over many seeds", "policy_gradient"),),
}
