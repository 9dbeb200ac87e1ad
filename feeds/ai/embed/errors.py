"""The exception of embeddings."""


class EmbeddingError(Exception):
    """The model is missing, does not answer, or returns unusable vectors. The message says what to
    do."""
