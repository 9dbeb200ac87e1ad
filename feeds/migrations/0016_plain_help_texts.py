from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('feeds', '0015_private_redirects_and_splits'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='archivepart',
            options={'ordering': ['-low', 'name'], 'verbose_name': 'archived month'},
        ),
        migrations.AlterModelOptions(
            name='languagemonth',
            options={'ordering': ['-month'], 'verbose_name': 'month of language model costs', 'verbose_name_plural': 'language model costs by month'},
        ),
        migrations.AlterModelOptions(
            name='languageuse',
            options={'ordering': ['-day', 'model', 'purpose'], 'verbose_name': 'day of language model costs', 'verbose_name_plural': 'language model costs by day'},
        ),
        migrations.AlterField(
            model_name='archivepart',
            name='high',
            field=models.BigIntegerField(help_text='first id after the month'),
        ),
        migrations.AlterField(
            model_name='archivepart',
            name='low',
            field=models.BigIntegerField(help_text='lowest id of the month'),
        ),
        migrations.AlterField(
            model_name='archivepart',
            name='name',
            field=models.CharField(help_text='month and, from the second file on, a number: 2025-03-2', max_length=20, unique=True),
        ),
        migrations.AlterField(
            model_name='archivepart',
            name='sha256',
            field=models.CharField(help_text='SHA-256 of the file', max_length=64),
        ),
        migrations.AlterField(
            model_name='archivepart',
            name='size',
            field=models.BigIntegerField(help_text='size of the file in bytes'),
        ),
        migrations.AlterField(
            model_name='archivepart',
            name='state',
            field=models.CharField(choices=[('removing', 'being archived'), ('archived', 'archived'), ('restored', 'restored')], default='removing', max_length=10),
        ),
        migrations.AlterField(
            model_name='fetchlog',
            name='note',
            field=models.TextField(blank=True, db_default='', help_text='what was not read of the document'),
        ),
        migrations.AlterField(
            model_name='impression',
            name='leads',
            field=models.JSONField(help_text='the lead item of each story'),
        ),
        migrations.AlterField(
            model_name='impression',
            name='odd',
            field=models.BigIntegerField(help_text='the story shown as “something different”', null=True),
        ),
        migrations.AlterField(
            model_name='impression',
            name='propensity',
            field=models.FloatField(default=1.0, help_text='probability with which that story was drawn'),
        ),
        migrations.AlterField(
            model_name='item',
            name='seq',
            field=models.BigIntegerField(help_text='number in the ledger: the order of arrival'),
        ),
        migrations.AlterField(
            model_name='item',
            name='story_pinned',
            field=models.BooleanField(default=False, help_text='an administrator put it into its story'),
        ),
        migrations.AlterField(
            model_name='item',
            name='updated_at',
            field=models.DateTimeField(blank=True, help_text='when the content last changed', null=True),
        ),
        migrations.AlterField(
            model_name='itembody',
            name='is_full_text',
            field=models.BooleanField(default=False, help_text="fetched from the article's page"),
        ),
        migrations.AlterField(
            model_name='itembody',
            name='text',
            field=models.TextField(blank=True, help_text='plain text, which the search indexes'),
        ),
        migrations.AlterField(
            model_name='itemkey',
            name='alt_hash',
            field=models.BigIntegerField(help_text='the same for link and title'),
        ),
        migrations.AlterField(
            model_name='itemstate',
            name='told_at',
            field=models.DateTimeField(help_text="when it last changed the reader's taste", null=True),
        ),
        migrations.AlterField(
            model_name='languagemonth',
            name='month',
            field=models.DateField(help_text='first day of the month (UTC)', unique=True),
        ),
        migrations.AlterField(
            model_name='languagemonth',
            name='warned_at',
            field=models.DateTimeField(help_text='when the log warned that most of the budget was spent', null=True),
        ),
        migrations.AlterField(
            model_name='languageserver',
            name='failures',
            field=models.PositiveIntegerField(default=0, help_text='failed calls in a row'),
        ),
        migrations.AlterField(
            model_name='languageserver',
            name='open_until',
            field=models.DateTimeField(help_text='the server is not called before this time', null=True),
        ),
        migrations.AlterField(
            model_name='languageuse',
            name='estimated',
            field=models.PositiveIntegerField(default=0, help_text='calls for which the server reported no usage'),
        ),
        migrations.AlterField(
            model_name='markundo',
            name='marks',
            field=models.JSONField(help_text='{subscription id: previous watermark}'),
        ),
        migrations.AlterField(
            model_name='revision',
            name='number',
            field=models.BigIntegerField(help_text='random; replaced after each change'),
        ),
        migrations.AlterField(
            model_name='source',
            name='complaint',
            field=models.TextField(blank=True, help_text='what was wrong with the last document that was read'),
        ),
        migrations.AlterField(
            model_name='source',
            name='error',
            field=models.TextField(blank=True, help_text='the message that readers see'),
        ),
        migrations.AlterField(
            model_name='source',
            name='failures',
            field=models.PositiveIntegerField(default=0, help_text='failed fetches in a row'),
        ),
        migrations.AlterField(
            model_name='source',
            name='full_text',
            field=models.BooleanField(default=False, help_text="fetch the full text from each article's page"),
        ),
        migrations.AlterField(
            model_name='source',
            name='is_public',
            field=models.BooleanField(default=False, help_text='shown to everyone in the catalogue'),
        ),
        migrations.AlterField(
            model_name='source',
            name='kind',
            field=models.CharField(blank=True, help_text='format of the last document: rss, atom or json', max_length=10),
        ),
        migrations.AlterField(
            model_name='source',
            name='lease_token',
            field=models.BigIntegerField(default=0, help_text='fencing token; each claim increases it'),
        ),
        migrations.AlterField(
            model_name='source',
            name='pack',
            field=models.CharField(blank=True, help_text='starter pack that has this source', max_length=50),
        ),
        migrations.AlterField(
            model_name='source',
            name='site_url',
            field=models.CharField(blank=True, max_length=2048, verbose_name='site URL'),
        ),
        migrations.AlterField(
            model_name='source',
            name='trusts_guid',
            field=models.BooleanField(default=True, help_text='off if the feed used one guid for several articles'),
        ),
        migrations.AlterField(
            model_name='source',
            name='url',
            field=models.CharField(help_text='address of the feed', max_length=2048, unique=True, verbose_name='URL'),
        ),
        migrations.AlterField(
            model_name='source',
            name='weight',
            field=models.FloatField(default=1.0, help_text='trust in this source; 1 is neutral'),
        ),
        migrations.AlterField(
            model_name='story',
            name='last_at',
            field=models.DateTimeField(db_index=True, help_text='when its newest item was published'),
        ),
        migrations.AlterField(
            model_name='story',
            name='last_seq',
            field=models.BigIntegerField(db_index=True, default=0, help_text='seq of its newest arrival'),
        ),
        migrations.AlterField(
            model_name='story',
            name='source_count',
            field=models.PositiveIntegerField(default=1, help_text='copies are not counted'),
        ),
        migrations.AlterField(
            model_name='story',
            name='title_pinned',
            field=models.BooleanField(default=False, help_text='an administrator wrote the headline'),
        ),
        migrations.AlterField(
            model_name='subscription',
            name='level',
            field=models.CharField(choices=[('less', 'less'), ('normal', 'normal'), ('more', 'more')], db_default='normal', default='normal', help_text='how much of the source the reader wants', max_length=6),
        ),
        migrations.AlterField(
            model_name='subscription',
            name='read_up_to',
            field=models.BigIntegerField(default=0, help_text='watermark: items up to this seq are read'),
        ),
        migrations.AlterField(
            model_name='subscription',
            name='title',
            field=models.CharField(blank=True, help_text="the reader's custom name for the source", max_length=300),
        ),
        migrations.AlterField(
            model_name='termday',
            name='count',
            field=models.PositiveIntegerField(help_text='number of stories'),
        ),
        migrations.AlterField(
            model_name='trendalert',
            name='story_id',
            field=models.BigIntegerField(help_text='the leading story at that time'),
        ),
        migrations.AlterField(
            model_name='trendalert',
            name='until',
            field=models.DateField(help_text='the last day on which the burst was seen'),
        ),
        migrations.AlterField(
            model_name='trendday',
            name='seq',
            field=models.BigIntegerField(help_text='newest seq when the day was counted'),
        ),
    ]
