"""Fill the library of a drill, in a process of its own, because settings are read once.

python -m benchmarks.drill.library KIND ITEMS FOLDER
"""

import sys
from pathlib import Path

from benchmarks.pages import database_of


def main() -> None:
    kind, items, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    with database_of(kind, folder, items):
        pass


if __name__ == "__main__":
    main()
