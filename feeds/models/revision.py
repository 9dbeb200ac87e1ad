"""Counters that invalidate cached data; see feeds.coordination.revisions."""

from django.db import models


class Revision(models.Model):
    name = models.CharField(max_length=20, primary_key=True)
    number = models.BigIntegerField(help_text="random; replaced after each change")
