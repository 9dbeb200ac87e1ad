"""The ranking of stories: its terms, and what they are computed from. Pure."""
