"""Conventions of similarity: mining, distances, episodes."""

from conventions.common import Convention, Form

TITLE = "Similarity"
LOOPS = "test_mining.py::test_every_variant_equals_loops_over_all_triplets"
ADDONS = "test_mining.py::test_the_semi_hard_loss_of_tensorflow_addons_by_its_formula"
MINERS = "test_mining.py::test_mean_and_gradient_equal_those_of_pytorch_metric_learning"
RECOGNISED = (
    "test_similarity.py::test_recognition_equals_the_nearest_neighbour_of_scikit_learn_within_the_threshold"
)
CHOSEN = "test_similarity.py::test_threshold_is_the_best_of_all"
EPISODES = "test_similarity.py::test_episodes_are_drawn_without_replacement_and_answered_as_scikit_learn_does"
HARDEST = "test_forms.py::test_hardest_pairs_are_the_same_in_both_forms"
PAIRS = "test_mining.py::test_batch_contrastive_is_the_mean_of_given_pairs"
EMBEDDER = "models/test_siamese.py::test_embeddings_of_any_length_and_of_length_1"

CONVENTIONS = (
    Convention(
        "losses.mined_triplet", "mining",
        (
            Form("semi_hard", "negatives farther than the positive by less than the margin: FaceNet, "
                              "`TripletMarginMiner(type_of_triplets=\"semihard\")` of "
                              "pytorch-metric-learning", MINERS),
            Form("batch_hard", "the farthest positive and the nearest negative of each anchor: Hermans et "
                               "al., "
                               "`BatchHardMiner`", MINERS),
            Form("batch_all", "every triplet: `TripletMarginLoss` of pytorch-metric-learning without a "
                              "miner", MINERS),
        ),
    ),
    Convention(
        "losses.mined_triplet", "form",
        (
            Form("squared_euclidean", "d^2: FaceNet", MINERS),
            Form("euclidean", "d: Hermans et al.; margins do not compare", MINERS),
        ),
    ),
    Convention(
        "losses.mined_triplet", "average",
        (
            Form("active", "the mean over mined triplets whose loss is above 0: pytorch-metric-learning",
                 MINERS),
            Form("all", "over all that were mined: TensorFlow Addons, Hermans et al.", ADDONS),
        ),
    ),
    Convention(
        "losses.mined_triplet", "negatives",
        (
            Form("every", "each semi-hard negative of a pair: pytorch-metric-learning", MINERS),
            Form("nearest", "the nearest that is farther than the positive: TensorFlow Addons", ADDONS),
        ),
    ),
    Convention(
        "losses.mined_triplet", "fallback",
        (
            Form("none", "a pair without a semi-hard negative is left out: pytorch-metric-learning", MINERS),
            Form("nearest", "it takes the nearest of all", LOOPS),
            Form("farthest", "the farthest of all: TensorFlow Addons", ADDONS),
        ),
    ),
    Convention(
        "losses.batch_contrastive", "average",
        (
            Form("pairs", "the mean over all pairs of the batch", PAIRS),
            Form("kinds", "the mean over those of one class plus the mean over the others", PAIRS),
        ),
    ),
    *(
        Convention(
            f"similarity.{name}", "form",
            (
                Form("euclidean", euclidean, test),
                Form("squared_euclidean", "d^2, whose thresholds are squares", test),
            ),
        )
        for name, euclidean, test in (
            ("distances", "d: `sklearn.metrics.pairwise_distances`",
             "test_similarity.py::test_differences_do_not_cancel_where_a_product_would"),
            ("hardest_pairs", "d", HARDEST),
            ("recognise", "d: `sklearn.neighbors.KNeighborsClassifier(1)`", RECOGNISED),
            ("verify", "d", RECOGNISED),
        )
    ),
    Convention(
        "similarity.choose_threshold", "objective",
        (
            Form("accuracy", "the largest share of right answers", CHOSEN),
            Form("false_acceptance", "the fewest rejections of the same, at a share of acceptances of "
                                     "others", CHOSEN),
            Form("equal_error", "where both errors are nearest to each other", CHOSEN),
        ),
    ),
    Convention(
        "similarity.few_shot", "rule",
        (
            Form("nearest", "the class of the nearest example shown", EPISODES),
            Form("mean", "of the nearest mean: prototypical networks (Snell et al.)", EPISODES),
        ),
    ),
    Convention(
        "models.EmbedderConfig", "normalise",
        (
            Form(False, "embeddings of any length", EMBEDDER),
            Form(True, "of length 1: FaceNet", EMBEDDER),
        ),
    ),
)  # fmt: skip
