"""What may go wrong with vectors, in words that say what to do."""


class EmbeddingError(Exception):
    """No vectors: the model is missing, away, or gives what cannot be used."""
