from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('digests', '0006_channel_kinds'),
    ]

    operations = [
        migrations.AlterField(
            model_name='channel',
            name='reason',
            field=models.CharField(blank=True, help_text='why it was disabled; shown to the reader', max_length=300),
        ),
        migrations.AlterField(
            model_name='delivery',
            name='error',
            field=models.CharField(blank=True, help_text='error of the last attempt; shown to the reader', max_length=300),
        ),
        migrations.AlterField(
            model_name='delivery',
            name='token',
            field=models.PositiveIntegerField(default=0, help_text='fencing token; each claim increases it'),
        ),
        migrations.AlterField(
            model_name='delivery',
            name='until',
            field=models.DateTimeField(help_text='end of the lease of a worker', null=True),
        ),
        migrations.AlterField(
            model_name='digest',
            name='date',
            field=models.DateField(help_text="day in the reader's time zone"),
        ),
        migrations.AlterField(
            model_name='digest',
            name='ends_at',
            field=models.DateTimeField(help_text='end of the period it covers', null=True),
        ),
        migrations.AlterField(
            model_name='digest',
            name='starts_at',
            field=models.DateTimeField(help_text='start of the period it covers', null=True),
        ),
        migrations.AlterField(
            model_name='storysummary',
            name='complaints',
            field=models.JSONField(default=list, help_text='why the others were refused'),
        ),
        migrations.AlterField(
            model_name='storysummary',
            name='held',
            field=models.PositiveIntegerField(help_text='sentences that the check found supported'),
        ),
        migrations.AlterField(
            model_name='storysummary',
            name='key',
            field=models.CharField(help_text='hash of contents, prompt and model', max_length=64, unique=True),
        ),
        migrations.AlterField(
            model_name='storysummary',
            name='sentences',
            field=models.JSONField(help_text='[[text, [source number]]]; empty if no sentence was supported'),
        ),
        migrations.AlterField(
            model_name='storysummary',
            name='version',
            field=models.CharField(help_text='version of the prompt', max_length=30),
        ),
        migrations.AlterField(
            model_name='writing',
            name='error',
            field=models.CharField(blank=True, help_text='shown to the reader', max_length=300),
        ),
        migrations.AlterField(
            model_name='writing',
            name='is_due',
            field=models.BooleanField(default=False, help_text='due by the schedule, so it is also delivered'),
        ),
        migrations.AlterField(
            model_name='writing',
            name='total',
            field=models.PositiveSmallIntegerField(default=0, help_text='stories chosen; 0 until they are'),
        ),
        migrations.AlterField(
            model_name='writing',
            name='until',
            field=models.DateTimeField(help_text='end of the lease of a worker', null=True),
        ),
    ]
