"""Numbers of tokens that are no part of a text: `data.Vocabulary` gives them, models of text read them."""

PADDING, START, END, UNKNOWN = range(4)
