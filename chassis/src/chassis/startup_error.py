"""The error of a process that must not start."""


class StartupError(Exception):
    """The process must not start or go on; the message says why and what to do.

    `chassis.server.run` logs it and exits with 1. It holds no secret and no personal detail.
    """
