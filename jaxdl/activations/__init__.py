"""Activation functions: pure and validated; elementwise, softmax aside."""

from .elementwise import identity as identity
from .elementwise import scaled_tanh as scaled_tanh
from .elementwise import sigmoid as sigmoid
from .elementwise import softsign as softsign
from .elementwise import step as step
from .elementwise import swish as swish
from .elementwise import tanh as tanh
from .output import TASKS as TASKS
from .output import Output as Output
from .output import output_for as output_for
from .probabilities import softmax as softmax
from .rectifiers import leaky_relu as leaky_relu
from .rectifiers import prelu as prelu
from .rectifiers import relu as relu
