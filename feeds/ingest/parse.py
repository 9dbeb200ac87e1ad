"""Turn the bytes of a feed into entries. Pure."""
