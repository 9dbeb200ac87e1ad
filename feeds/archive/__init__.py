"""Months of long ago in files of their own, and back."""
