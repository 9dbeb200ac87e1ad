"""Where the files of a model lie: in a folder that was named, or in a package."""

from importlib.util import find_spec
from pathlib import Path

from feeds.embed.errors import EmbeddingError

INSTALL = "`make intelligence` installs it"


def package_folder(package: str) -> Path:
    """The folder of an installed package that carries a model, which is not imported.

    Raises EmbeddingError.
    """
    found = find_spec(package)
    if found is None or found.origin is None:
        raise EmbeddingError(f"The package {package} with the model is missing: {INSTALL}.")
    return Path(found.origin).parent


def first_of(folder: Path, names: tuple[str, ...]) -> Path:
    """The first of these files that the folder has. Raises EmbeddingError."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise EmbeddingError(f"EMBEDDING_MODEL={folder} has no {' or '.join(names)}.")


def model_folder(model: str, package: str) -> Path:
    """`model` as a folder, or the package's where it is empty. Raises EmbeddingError."""
    if not model:
        return package_folder(package)
    folder = Path(model).expanduser()
    if not folder.is_dir():
        raise EmbeddingError(
            f"EMBEDDING_MODEL={model} is no folder on this machine; nothing is downloaded."
        )
    return folder
