"""Sampling from a network that predicts the next token: each token that is drawn is fed back in.

A network is a function ``step(carry, tokens) -> carry, logits`` here: tokens (batch,) int32, logits
(batch, classes), the carry any pytree of arrays with the batch in front. Where logits are NaN the token is
-1, and stays -1 for the rest of that sequence.
"""

from .beam import Beams as Beams
from .beam import beam_search as beam_search
from .draw import greedy as greedy
from .draw import sample as sample
from .generation import Generated as Generated
from .generation import generate as generate
