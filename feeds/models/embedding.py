"""Cached vectors of texts. The table may be emptied at any time."""

from django.db import models


class Embedding(models.Model):
    key = models.BigIntegerField(primary_key=True, help_text="hash of the text and the model")
    vector = models.TextField(help_text="float16, base64")
    created_at = models.DateTimeField(db_index=True)
