"""The names that the field looks for first: each is public, and each function of arrays has its row."""

import functools
import inspect

import opspec
import pytest

import jaxdl

NAMES = {
    "activations": "step identity sigmoid tanh softsign relu leaky_relu prelu swish softmax "
    "output_for scaled_tanh",
    "losses": "squared_error non_negative_squared_error binary_cross_entropy "
    "softmax_cross_entropy multi_label_cross_entropy huber smooth_l1 contrastive "
    "triplet l1_penalty l2_penalty soft_threshold proximal_l1 reduce "
    "auxiliary_cross_entropy maximum_a_posteriori sequence_cross_entropy "
    "sequence_binary_cross_entropy yolo_v1 yolo_anchors yolo_unplaced faster_rcnn "
    "region_heads region_proposals localisation crop_heads mined_triplet batch_contrastive",
    "anchors": "grid shapes assign sample kmeans",
    "gradcheck": "numerical_gradient check",
    "graph": "show",
    "backprop": "backpropagation",
    "optim": "sgd momentum nesterov adagrad rmsprop adam adamw ema clip_by_global_norm "
    "warmup_cosine decay_mask learning_rate gradient_norm frozen",
    "models.perceptron": "fit gate xor",
    "models.linear_regression": "fit lasso line",
    "models.logistic_regression": "fit",
    "models.softmax_regression": "fit",
    "models.decision_tree": "fit",
    "features": "polynomial circle ellipse",
    "scaling": "z_score mean_normalisation min_max decimal pixels imagenet",
    "descent": "descend",
    "impurity": "binary_entropy entropy gini information_gain",
    "metrics": "accuracy binary_accuracy confusion_matrix precision recall f1 threshold_sweep "
    "roc_curve roc_area r2 sequence_accuracy exact_match mean_average_precision coco "
    "localisation_accuracy",
    "select": "learning_curve validation_curve diagnose structural_risk random_search choose masked",
    "initializers": "zeros normal uniform lecun he xavier glorot orthogonal",
    "probe": "activations parameters layers histogram norms dead saturated",
    "train": "make_train fit sweep evaluate predict rate_range make_rate_range exact_statistics "
    "save load compilation_cache compile export load_exported prefetch restore Stream by_class",
    "train.points": "grid random zip log linear",
    "weights": "save load metadata load_torch from_torchvision to_torchvision "
    "download_torchvision torchvision_scaling from_torch_recurrent to_torch_recurrent",
    "train.log": "JSONLines CSV TensorBoard read writers",
    "train.shard": "data_parallel fsdp members Plan",
    "data": "split split_classes folds one_hot Dataset Drawings frame_ink load_omniglot load_people people "
    "load_digits load_iris load_wine load_breast_cancer load_diabetes load_cifar volumes waveforms "
    "scenes scene_batches compose_scene scene_digits load_scene_digits load_voc load_coco Vocabulary "
    "pad windows load_names load_lines load_text adding copying brackets dates",
    "kernels.dense": "dot_general",
    "kernels.conv": "conv_general_dilated conv_transpose using",
    "kernels.pool": "max_pool avg_pool",
    "kernels.adaptive_pool": "adaptive_avg_pool adaptive_max_pool",
    "kernels.recurrent": "rnn_cell gru_cell lstm_cell rnn gru lstm using",
    "kernels.response_norm": "local_response_norm",
    "layers": "Linear PReLU Dropout BatchNorm Activation Conv ConvTranspose MaxPool AvgPool "
    "GlobalAvgPool GlobalMaxPool AdaptiveAvgPool AdaptiveMaxPool LocalResponseNorm "
    "Flatten ConnectedConv Subsample RadialBasis RNN GRU LSTM Recurrent last_step "
    "Embedding AdditiveAttention DotAttention MultiHeadAttention",
    "models": "MLP MLPConfig Perceptron LinearModel DecisionTree AlexNet AlexNetConfig GoogLeNet "
    "GoogLeNetConfig Inception VGG VGGConfig BasicBlock Bottleneck ResNet ResNetConfig "
    "CifarResNet CifarResNetConfig LeNet5 LeNet5Config SignalNet SignalNetConfig "
    "VolumeNet VolumeNetConfig LanguageModel LanguageModelConfig SequenceClassifier "
    "SequenceClassifierConfig SequenceTagger SequenceTaggerConfig EncoderDecoder "
    "EncoderDecoderConfig Yolo YoloConfig FasterRCNN FasterRCNNConfig Localiser "
    "LocaliserConfig localise WindowClassifier WindowClassifierConfig RCNN RCNNConfig "
    "FastRCNN FastRCNNConfig Embedder EmbedderConfig Siamese Twins",
    "models.yolo": "detect",
    "plot": "activations augmentations step_and_sigmoid cost_surfaces graph descent paths "
    "gradient_field boundary learning_curve validation_curve confusion_matrix "
    "worst_mistakes roc precision_recall tree activation_histograms gradients_by_depth "
    "history rate_range heat_map parallel_curves kernels signals volumes images "
    "top_patches saliency language_model gradients_by_distance accuracy_by_length "
    "attention_map samples boxes objects detections average_precision detectors "
    "sliding_windows embedding distances pairs episodes",
    "data.augment": "horizontal_flip vertical_flip random_crop random_resized_crop shift "
    "subpixel_shift rotation scale shear affine elastic colour_distortion "
    "pca_noise cutout random_erasing gaussian_noise mixup cutmix compose maybe "
    "on_backgrounds flip_with_boxes zoom_with_boxes",
    "filters": "kernel apply as_matrix",
    "receptive_field": "stack measure",
    "similarity": "distances normalise pairs choose_threshold verify recognise few_shot hardest_pairs",
    "style": "gram content_loss style_loss total_variation transfer",
    "units": "top_patches saliency",
    "models.ngram": "fit cross_entropy",
    "sampling": "greedy sample generate beam_search",
    "vanishing": "state_gradient_norms input_gradient_norms",
    "boxes": "truth pad_targets area clip iou giou paired_iou paired_giou "
    "giou_loss encode decode valid to_relative to_absolute xyxy_to_cxcywh cxcywh_to_xyxy "
    "xyxy_to_xywh xywh_to_xyxy xyxy_to_cycxhw cycxhw_to_xyxy nms nms_by_class soft_nms "
    "detections",
    "kernels.nms": "nms",
    "kernels.roi": "roi_align roi_pool",
    "kernels.attention": "additive_attention dot_attention scaled_dot_attention multi_head_attention attend",
    "models.faster_rcnn": "detect",
    "net": "functional from_linen from_pair as_convolution start_from summary",
    "models.fast_rcnn": "detect",
    "proposals": "graph_segmentation selective_search propose recall warp add_truth crops",
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
    "net",
)


@pytest.mark.parametrize("module", NAMES)
def test_every_name_is_public_and_has_its_row(module: str) -> None:
    rows = {op.name.partition(":")[0] for op in opspec.OPS} | {name for name, *_ in opspec.CALLS}
    home = functools.reduce(getattr, module.split("."), jaxdl)
    for name in NAMES[module].split():
        found = getattr(home, name)
        assert callable(found)
        assert inspect.getdoc(found)
        assert module in WITHOUT_ROWS or inspect.isclass(found) or f"{module}.{name}" in rows
