"""The error that every command reports as a sentence instead of a traceback."""


class CommandError(Exception):
    """The command cannot continue. The message is for a person: what failed, why, and what to do."""
