"""What stops a training command with one line instead of a traceback."""


class TrainingError(Exception):
    """Missing data, a corrupt checkpoint or a wrong configuration; the message says which."""
