"""Boxes of objects in images: formats, overlap, coding against anchors, suppression.

A box is x1, y1, x2, y2 (``xyxy``) in pixels, x to the right and y downwards, unless a name says otherwise.
"""

from .coding import decode as decode
from .coding import encode as encode
from .detections import Detections as Detections
from .detections import Truth as Truth
from .detections import truth as truth
from .formats import cxcywh_to_xyxy as cxcywh_to_xyxy
from .formats import xywh_to_xyxy as xywh_to_xyxy
from .formats import xyxy_to_cxcywh as xyxy_to_cxcywh
from .formats import xyxy_to_xywh as xyxy_to_xywh
from .overlap import area as area
from .overlap import clip as clip
from .overlap import giou as giou
from .overlap import iou as iou
from .suppression import detections as detections
from .suppression import nms as nms
from .suppression import nms_by_class as nms_by_class
