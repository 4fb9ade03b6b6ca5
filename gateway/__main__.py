"""``python -m gateway`` is the command ``gateway``, which is this module's :func:`main`, too."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """The entry point of the console script."""
    # What is imported stays for good, and a message makes hundreds of short-lived objects: at Python's usual pace,
    # looking for garbage among them takes a tenth of the start and a good part of the intake's time.
    gc.set_threshold(50_000, 20, 50)
    # Pydantic looks through all that is installed for plug-ins; there are none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    _import_structlog()
    from gateway.cli import app

    app()


def _import_structlog() -> None:
    """Import it without rich, which is a twentieth of the start: it would draw tracebacks by it, and ours are plain."""
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401 - for all who import it later
    finally:
        del sys.modules["rich"]


if __name__ == "__main__":
    main()
