"""Find the files of an embedding model: in the folder EMBEDDING_MODEL or in a package."""

from importlib.util import find_spec
from pathlib import Path

from ainews_site.infra.places import IS_INSTALLED
from feeds.ai.embed.errors import EmbeddingError

INSTALL = (
    "install it as docs/reference/releases.md says for packages"
    if IS_INSTALLED
    else "install it with `make intelligence`"
)


def package_folder(package: str) -> Path:
    """Return the folder of an installed package that contains a model. The package is not imported.

    Raises EmbeddingError if it is not installed.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise EmbeddingError(f"The model package {package} is missing: {INSTALL}.")
    return Path(spec.origin).parent


def first_of(folder: Path, names: tuple[str, ...]) -> Path:
    """Return the path of the first of `names` in `folder`. Raises EmbeddingError if it has none."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise EmbeddingError(f"EMBEDDING_MODEL={folder} has no {' or '.join(names)}.")


def model_folder(model: str, package: str) -> Path:
    """Return the folder `model`, by default that of `package`. Raises EmbeddingError."""
    if not model:
        return package_folder(package)
    folder = Path(model).expanduser()
    if not folder.is_dir():
        raise EmbeddingError(
            f"EMBEDDING_MODEL={model} is not a folder on this machine. Models are not downloaded."
        )
    return folder
