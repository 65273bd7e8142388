"""Boxes of objects in images: formats, overlap, coding against anchors, suppression.

A box is x1, y1, x2, y2 (``xyxy``) in pixels, x to the right and y downwards, unless a name says otherwise.
"""

from .coding import decode as decode
from .coding import encode as encode
from .detections import Detections as Detections
from .detections import Truth as Truth
from .detections import truth as truth
from .formats import cxcywh_to_xyxy as cxcywh_to_xyxy
from .formats import cycxhw_to_xyxy as cycxhw_to_xyxy
from .formats import to_absolute as to_absolute
from .formats import to_relative as to_relative
from .formats import valid as valid
from .formats import xywh_to_xyxy as xywh_to_xyxy
from .formats import xyxy_to_cxcywh as xyxy_to_cxcywh
from .formats import xyxy_to_cycxhw as xyxy_to_cycxhw
from .formats import xyxy_to_xywh as xyxy_to_xywh
from .overlap import area as area
from .overlap import clip as clip
from .overlap import giou as giou
from .overlap import giou_loss as giou_loss
from .overlap import iou as iou
from .overlap import paired_giou as paired_giou
from .overlap import paired_iou as paired_iou
from .soft import SoftChoice as SoftChoice
from .soft import soft_nms as soft_nms
from .suppression import detections as detections
from .suppression import nms as nms
from .suppression import nms_by_class as nms_by_class
from .targets import pad_targets as pad_targets
