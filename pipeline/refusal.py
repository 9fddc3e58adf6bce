"""The one error that is the user's to mend."""


class Refusal(ValueError):  # noqa: N818  (a refusal is not a fault of the program)
    """Wrong input: the message is one line saying what was got, what was wanted and what to do.

    Entry points print the message without a traceback and exit with 1. Anything else that rises is a fault of the
    program and keeps its traceback.
    """
