"""Metrics. Those of a single example give one value per example, like the losses."""

from .classification import accuracy as accuracy
