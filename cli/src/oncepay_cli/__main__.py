"""The entry point of `oncepay` and `python -m oncepay_cli`."""

import signal
import sys

from oncepay_cli.errors import CommandError


def main() -> None:
    """Run the command. A CommandError is printed to standard error; the exit code is then 1."""
    try:
        # Imported here, so that Ctrl-C during the imports prints no traceback either.
        from oncepay_cli.application import app

        app()
    except CommandError as error:
        notes = getattr(error, "__notes__", [])
        sys.stderr.write("\n".join([str(error), *notes, ""]))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
