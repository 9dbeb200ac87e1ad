"""Exits with 0 if the web server of this container answers `/health`. Standard library only."""

import os
import sys
from urllib.request import urlopen


def main() -> int:
    port = os.environ.get("PORT") or "8000"
    try:
        with urlopen(f"http://127.0.0.1:{port}/health", timeout=4) as answer:
            return 0 if answer.status == 200 else 1
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
