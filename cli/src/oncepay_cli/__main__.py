"""`oncepay`, and `python -m oncepay_cli`."""

import signal
import sys

from oncepay_cli.errors import CommandError


def main() -> None:
    """Run the command. A failure is a sentence on standard error, and exit code 1."""
    try:
        # Here, and not above: importing takes a moment, in which Ctrl-C is no traceback either.
        from oncepay_cli.application import app

        app()
    except CommandError as failure:
        notes = getattr(failure, "__notes__", [])
        sys.stderr.write("\n".join([str(failure), *notes, ""]))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
