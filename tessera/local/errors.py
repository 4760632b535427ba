"""What can go wrong with the local stack; every text is one line for people."""


class StackError(Exception):
    """The stack cannot start, or cannot go on."""

    exit_status = 1  # of the command that ends with it


class StopAsked(StackError):
    """SIGTERM, SIGHUP or Ctrl-C came before the work was done."""
