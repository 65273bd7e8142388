"""Conventions of detection."""

from conventions.common import Convention, Form, row

TITLE = "Detection"
MAP = "metrics/test_detection.py::"
LOCAL = "models/test_localiser.py::"
YOLO = "test_yolo_losses.py::test_values_against_a_loop"
SOFT = "test_boxes.py::test_soft_suppression_is_that_of_a_loop"

CONVENTIONS = (
    Convention(
        "metrics.mean_average_precision", "interpolation",
        (
            Form("all", "the area below the envelope: Pascal VOC from 2010",
                 MAP + "test_three_interpolations_by_hand"),
            Form("11", "the mean at recalls 0, 0.1, ..., 1: VOC 2007",
                 MAP + "test_three_interpolations_by_hand"),
            Form("101", "at 0, 0.01, ..., 1: COCO", MAP + "test_three_interpolations_by_hand"),
        ),
    ),
    Convention(
        "metrics.mean_average_precision", "matching",
        (
            Form("free", "the best object that is not taken: COCO",
                 MAP + "test_what_a_taken_object_does_to_the_next_detection"),
            Form("best", "the best of all, a duplicate where it is taken: VOC",
                 MAP + "test_what_a_taken_object_does_to_the_next_detection"),
        ),
    ),
    *(
        Convention(
            name, "form",
            (
                Form("cross_entropy", "logits of p and of the classes: libraries", logits),
                Form("squared_error", "squared errors of the outputs as they are: the texts", plain),
            ),
        )
        for name, logits, plain in (
            ("losses.localisation", row("losses.localisation"), LOCAL + "test_the_form_that_texts_print"),
            ("metrics.localisation_accuracy", *[LOCAL + "test_the_metric_by_hand"] * 2),
            ("models.localise", *[LOCAL + "test_the_metric_by_hand"] * 2),
        )
    ),
    Convention(
        "losses.localisation", "box_loss",
        (
            Form("smooth_l1", "Fast R-CNN's, of shares of the image", row("losses.localisation")),
            Form("squared_error", "squares, of shares of the image",
                 LOCAL + "test_squared_errors_of_the_box_alone"),
        ),
    ),
    Convention(
        "models.YoloConfig", "form",
        (
            Form("anchors", "S x S x (anchors (5 + C)): YOLOv2 and v3",
                 "models/test_yolo.py::test_shapes_and_parameters"),
            Form("v1", "S x S x (B 5 + C): the first paper's",
                 "models/test_yolo.py::test_shapes_and_parameters"),
        ),
    ),
    Convention(
        "losses.yolo_anchors", "class_loss",
        (
            Form("softmax", "one class an object: YOLO9000", YOLO),
            Form("binary", "a cross-entropy for each class: YOLOv3", YOLO),
        ),
    ),
    Convention(
        "boxes.soft_nms", "decay",
        (
            Form("gaussian", "scores times exp(-iou^2 / sigma)", SOFT),
            Form("linear", "times 1 - iou from the threshold on", SOFT),
        ),
    ),
    Convention(
        "kernels.roi.roi_align", "aligned",
        (
            Form(True, "shifted by half a cell: `torchvision.ops.roi_align(aligned=True)`",
                 "kernels/test_roi.py::test_value_and_gradient_equal_torchvision"),
            Form(False, "not shifted, at least a cell wide: torchvision's default",
                 "kernels/test_roi.py::test_value_and_gradient_equal_torchvision"),
        ),
    ),
    Convention(
        "models.FastRCNNConfig", "pooling",
        (
            Form("max", "RoI pool: the paper", "test_forms.py::test_how_regions_are_pooled"),
            Form("align", "RoI align: Mask R-CNN", "test_forms.py::test_how_regions_are_pooled"),
        ),
    ),
    Convention(
        "data.load_voc", "one_based",
        (
            Form(True, "pixels counted from 1, the last included: Pascal VOC",
                 "data/test_data_voc.py::test_pixels_counted_from_one_become_edges"),
            Form(False, "from 0, `xmax` being the edge",
                 "data/test_data_voc.py::test_pixels_counted_from_one_become_edges"),
        ),
    ),
)  # fmt: skip
