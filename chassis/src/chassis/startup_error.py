"""A start that was refused."""


class StartupError(Exception):
    """The process must not start or go on, and this sentence tells a person why and what to do.

    `chassis.server.run` prints it and exits with 1. It holds no secret and no personal detail.
    """
