"""Client of OpenAI-compatible language models: `complete.complete` and `embeddings.embed`."""
