"""``python -m gateway`` is the command ``gateway``, which is this module's :func:`main`, too."""

from __future__ import annotations

import gc


def main() -> None:
    """The entry point of the console script."""
    # What is imported stays for good, and a message makes hundreds of short-lived objects: at Python's usual pace,
    # looking for garbage among them takes a tenth of the start and a good part of the intake's time.
    gc.set_threshold(50_000, 20, 50)
    from gateway.cli import app

    app()


if __name__ == "__main__":
    main()
