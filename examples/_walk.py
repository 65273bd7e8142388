"""The walk: every example in reading order, with its idea, its picture and the place of its formula."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Stop:
    """One example of the walk.

    Attributes:
        name: of the script.
        idea: what it shows, in one line.
        picture: the file that it writes under its folder and that the gallery shows.
        places: where its formulas stand, as ``path:name``.
        arguments: what the gallery runs it with; ``{work}`` is the folder of all runs.
    """

    name: str
    idea: str
    picture: str
    places: tuple[str, ...]
    arguments: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Section:
    """A stretch of the walk."""

    title: str
    about: str
    stops: tuple[Stop, ...]


WALK = (
    Section(
        "One unit",
        "A weighted sum and a threshold: what one such unit can decide, what not, and what may follow it.",
        (
            Stop(
                "gates",
                "One unit is AND, NAND or OR, set by hand or learnt; XOR takes two layers.",
                "gates.png",
                ("jaxdl/models/perceptron.py:fit", "jaxdl/models/perceptron.py:xor"),
            ),
            Stop(
                "activations",
                "Every activation with its derivative, what each does in a network, and the output by task.",
                "activations.png",
                ("jaxdl/activations/elementwise.py:sigmoid", "jaxdl/activations/output.py:output_for"),
            ),
            Stop(
                "boundaries",
                "Logistic regression draws lines; with features circles, ellipses and curves of order 4.",
                "boundaries.png",
                ("jaxdl/models/logistic_regression.py:fit", "jaxdl/features.py:polynomial"),
            ),
        ),
    ),
    Section(
        "How it learns",
        "A cost, its gradient, and a step against it: everything below is trained by these three.",
        (
            Stop(
                "losses",
                "Why classifiers take cross-entropy, what outliers do, exact zeros by L1, rare classes.",
                "cost_surfaces.png",
                ("jaxdl/losses/binary.py:binary_cross_entropy", "jaxdl/losses/penalties.py:proximal_l1"),
            ),
            Stop(
                "gradients",
                "A computation graph with the derivative at every node; the same gradient by four routes.",
                "graph.png",
                ("jaxdl/graph.py:show", "jaxdl/backprop.py:backpropagation", "jaxdl/gradcheck.py:check"),
            ),
            Stop(
                "optimizer_paths",
                "Four optimizers over a valley, the zig-zag, and a local minimum that momentum leaves.",
                "paths.png",
                (
                    "jaxdl/optim/descent.py:momentum",
                    "jaxdl/optim/adaptive.py:adagrad",
                    "jaxdl/optim/adam.py:adam",
                ),
            ),
            Stop(
                "learning_rate",
                "A learning rate found by a range test, warmed up, let fall by a cosine; and frozen layers.",
                "range.png",
                ("jaxdl/train/rate_range.py:rate_range", "jaxdl/optim/schedule.py:warmup_cosine"),
            ),
        ),
    ),
    Section(
        "Dense networks",
        "Units in layers, on handwritten digits: what makes deep ones trainable, and many of them at once.",
        (
            Stop(
                "mnist",
                "The 784-16-16-10 network of sigmoids, and a tuned one over ten seeds.",
                "classic.png",
                ("jaxdl/models/mlp.py:MLP", "jaxdl/losses/regression.py:squared_error"),
            ),
            Stop(
                "digits",
                "A network on 1,797 digits as one compiled program, beside the same in NumPy.",
                "history.png",
                ("jaxdl/train/fit.py:fit", "jaxdl/losses/classification.py:softmax_cross_entropy"),
            ),
            Stop(
                "initializers",
                "Signals and gradients by depth: what fades, what explodes, and the weights that keep both.",
                "gradients_tanh.png",
                ("jaxdl/initializers.py:he", "jaxdl/initializers.py:xavier", "jaxdl/probe.py:norms"),
            ),
            Stop(
                "dense_networks",
                "Linear layers collapse into one; dropout against overfitting; batch norm for speed.",
                "dropout.png",
                ("jaxdl/layers/dropout.py:Dropout", "jaxdl/layers/norm.py:BatchNorm"),
            ),
            Stop(
                "sweep",
                "256 networks trained as one program, with the members that diverge named.",
                "heat_map.png",
                ("jaxdl/train/sweeps/run.py:sweep",),
            ),
        ),
    ),
    Section(
        "Choosing a model",
        "Is it too simple or too flexible, would more data help, and which mistakes does it make?",
        (
            Stop(
                "bias_variance",
                "Loss against degree, penalty, training-set size and iteration, with a verdict for each.",
                "degree.png",
                ("jaxdl/select/curves.py:validation_curve", "jaxdl/select/diagnosis.py:diagnose"),
            ),
            Stop(
                "error_analysis",
                "Which digits are confused, the worst mistakes, and a rare class found by its threshold.",
                "confusion.png",
                ("jaxdl/metrics/confusion.py:confusion_matrix", "jaxdl/metrics/ranking.py:roc_curve"),
            ),
            Stop(
                "decision_tree",
                "Which question to ask first, and a tree in words and as a picture.",
                "iris.png",
                ("jaxdl/models/decision_tree.py:fit", "jaxdl/impurity.py:information_gain"),
            ),
        ),
    ),
    Section(
        "Runs that can be trusted",
        "What a run says when it fails, how it survives being killed, and what many devices change: nothing.",
        (
            Stop(
                "divergence",
                "Where and why a run leaves the finite numbers, read from its report; then the run, saved.",
                "loss.png",
                ("jaxdl/train/replay.py:replay", "jaxdl/errors.py:DivergenceError"),
            ),
            Stop(
                "resume",
                "A run that is killed and resumed, equal to the last bit; a damaged checkpoint is named.",
                "resume.png",
                ("jaxdl/train/restored.py:restore", "jaxdl/train/checkpoint/policy.py:Checkpoint"),
            ),
            Stop(
                "data_parallel",
                "One model on one device, on eight, and in two processes: the same losses.",
                "curves.png",
                ("jaxdl/train/shard.py:data_parallel", "jaxdl/train/shard.py:fsdp"),
            ),
        ),
    ),
    Section(
        "Images",
        "One small kernel moved over the whole picture, instead of a weight for every pair of pixels.",
        (
            Stop(
                "why_convolution",
                "Edges found by small kernels, and what sharing one saves against a dense layer.",
                "edges.png",
                ("kernels/conv.py:conv_general_dilated", "jaxdl/filters.py:apply"),
            ),
            Stop(
                "lenet",
                "LeNet-5 on real digits, in its modern form or that of 1998.",
                "worst_mistakes.png",
                ("jaxdl/models/lenet.py:LeNet5", "jaxdl/losses/codes.py:maximum_a_posteriori"),
            ),
            Stop(
                "signals_and_volumes",
                "Convolution along one axis and along three: waveforms in noise, digits as solids.",
                "signals.png",
                ("jaxdl/models/signal_net.py:SignalNet", "jaxdl/models/volume_net.py:VolumeNet"),
            ),
            Stop(
                "cifar_resnet",
                "A residual network on random crops: blocks that begin as what they were given.",
                "history.png",
                ("jaxdl/models/resnet_cifar.py:CifarResNet", "jaxdl/data/augment/crop.py:random_crop"),
            ),
            Stop(
                "augmentation",
                "What every augmentation makes of digits and photographs, and what they are worth.",
                "colours.png",
                ("jaxdl/data/augment/affine.py:affine", "jaxdl/data/augment/elastic.py:elastic"),
            ),
            Stop(
                "unit_patches",
                "The patches that excite the units of a trained network most, and saliency.",
                "second_layer.png",
                ("jaxdl/units/patches.py:top_patches", "jaxdl/receptive_field.py:stack"),
            ),
            Stop(
                "transfer",
                "A network that knows the digits 0 to 4 learns 5 to 9 from ten examples of each.",
                "transfer.png",
                ("jaxdl/net/starting.py:start_from", "jaxdl/optim/freezing.py:frozen"),
            ),
            Stop(
                "style_transfer",
                "A photograph painted in the manner of another, without a download.",
                "before_and_after.png",
                ("jaxdl/style/losses.py:gram", "jaxdl/style/transfer.py:transfer"),
            ),
        ),
    ),
    Section(
        "Detection",
        "Not only what is in a picture but where, and how often: from one box to scenes that overlap.",
        (
            Stop(
                "scenes",
                "Scenes of digits to detect: sizes, overlaps, and how fast they come.",
                "scenes.png",
                ("jaxdl/data/scenes.py:scenes", "jaxdl/boxes/overlap.py:iou"),
            ),
            Stop(
                "localisation",
                "Is there a digit, where, and which: one head that says all three.",
                "cross_entropy.png",
                ("jaxdl/models/localiser.py:Localiser", "jaxdl/losses/localisation.py:localisation"),
            ),
            Stop(
                "sliding_windows",
                "A classifier of small windows slides over a scene as one convolution.",
                "sliding_windows.png",
                ("jaxdl/net/sliding.py:as_convolution", "jaxdl/models/window_classifier.py:WindowClassifier"),
            ),
            Stop(
                "yolo",
                "Every cell of a grid says what lies in it: one look at the image.",
                "detections.png",
                ("jaxdl/losses/yolo.py:yolo_anchors", "jaxdl/models/yolo.py:detect", "kernels/nms.py:nms"),
            ),
            Stop(
                "faster_rcnn",
                "Regions proposed by the network itself, then looked at one by one.",
                "detections.png",
                ("jaxdl/losses/regions.py:faster_rcnn", "kernels/roi.py:roi_align"),
            ),
            Stop(
                "detection_family",
                "R-CNN, Fast R-CNN, Faster R-CNN and YOLO on the same scenes: precision and milliseconds.",
                "family.png",
                ("jaxdl/proposals/search.py:selective_search", "jaxdl/models/fast_rcnn.py:detect"),
                (
                    "--yolo", "{work}/yolo/model.safetensors",
                    "--faster", "{work}/faster_rcnn/model.safetensors",
                ),
            ),
        ),
    ),
    Section(
        "Sequences, up to attention",
        "Networks that read step by step, remember, write, and in the end look back where they need to.",
        (
            Stop(
                "digits_by_rows",
                "Many to one: digits read row by row, also with rows missing.",
                "rows.png",
                ("jaxdl/layers/recurrent.py:LSTM", "jaxdl/models/sequence_classifier.py:SequenceClassifier"),
            ),
            Stop(
                "tagging",
                "Many to many: which brackets have a partner; one direction against both.",
                "by_position.png",
                ("jaxdl/models/sequence_tagger.py:SequenceTagger",),
            ),
            Stop(
                "characters",
                "A model of names, character by character, that then invents some.",
                "characters.png",
                ("jaxdl/losses/sequence.py:sequence_cross_entropy", "jaxdl/sampling/generation.py:generate"),
            ),
            Stop(
                "one_to_many",
                "From a class alone to a sequence: digits drawn pixel by pixel.",
                "drawn.png",
                ("jaxdl/models/language_model.py:LanguageModel", "jaxdl/sampling/draw.py:sample"),
            ),
            Stop(
                "vanishing_gradients",
                "Why long memories are hard to learn: gradients by distance in time, and clipping.",
                "by_distance.png",
                ("jaxdl/vanishing.py:state_gradient_norms", "jaxdl/optim/norm.py:clip_by_global_norm"),
            ),
            Stop(
                "translator",
                "Dates in four languages to ISO 8601, with attention and without; the map of the attention.",
                "attention_english.png",
                ("kernels/attention.py:additive_attention", "jaxdl/models/encoder_decoder.py:EncoderDecoder"),
            ),
        ),
    ),
    Section(
        "What is alike",
        "Networks that say how far apart two things are, and so tell apart what they were never trained on.",
        (
            Stop(
                "one_shot",
                "One example a character, of an alphabet never seen: which of five is it?",
                "episodes.png",
                ("jaxdl/losses/mining.py:mined_triplet", "jaxdl/similarity/episodes.py:few_shot"),
            ),
            Stop(
                "recognition",
                "Is this the same person, and who is it? A network asked about people it never saw.",
                "embedding.png",
                ("jaxdl/similarity/verification.py:verify", "jaxdl/similarity/threshold.py:choose_threshold"),
            ),
        ),
    ),
    Section(
        "From rewards alone",
        "No labels at all: only how well it went.",
        (
            Stop(
                "policy_gradient",
                "REINFORCE balances a pole on a cart; play and training are one program over many seeds.",
                "returns.png",
                ("examples/policy_gradient.py:advantages",),
            ),
        ),
    ),
)  # fmt: skip
