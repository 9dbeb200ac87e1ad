"""Make parsed entries safe, absolute and bounded. Pure."""
