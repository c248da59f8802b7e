"""``python -m unlink_client`` is ``unlinkctl``."""

from __future__ import annotations

from unlink_client.cli import main

if __name__ == "__main__":
    main()
