"""What the command says instead of a traceback."""


class CommandError(Exception):
    """The command cannot go on. Its text is for a person: what, why, and what to do."""
