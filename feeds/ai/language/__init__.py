"""Talk to any OpenAI-compatible language model: `complete.complete` and `embeddings.embed`."""
