"""Frames of feeds were once left open, and what they held got into the page."""

from typing import Any

from django.db import migrations

from feeds.html.sanitise import sanitise, to_text


def sanitise_again(apps: Any, schema_editor: Any) -> None:
    """`<>` is what was left of such a frame; in harmless HTML it is written `&lt;&gt;`."""
    bodies = apps.get_model("feeds", "ItemBody").objects.using(schema_editor.connection.alias)
    for body in bodies.filter(html__contains="<>").iterator(chunk_size=200):
        html = sanitise(body.html.replace("<>", "<iframe>"))
        bodies.filter(pk=body.pk).update(html=html, text=to_text(html))


class Migration(migrations.Migration):
    dependencies = [("feeds", "0002_search")]
    operations = [migrations.RunPython(sanitise_again, migrations.RunPython.noop)]
