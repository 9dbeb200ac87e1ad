from django.db import migrations, models


class Migration(migrations.Migration):
    """Indexes by which an item is found in the ledger, and the copies of an original: both were
    looked for in the whole table when an item was deleted. PostgreSQL makes that of items in each
    partition, and in those that are attached later."""

    dependencies = [
        ('feeds', '0012_undo_item_count'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='item',
            index=models.Index(condition=models.Q(('copy_of__isnull', False)), fields=['copy_of'], name='item_copy_of'),
        ),
        migrations.AddIndex(
            model_name='itemkey',
            index=models.Index(condition=models.Q(('item_id__isnull', False)), fields=['item_id'], name='item_key_item'),
        ),
    ]
