"""The table of receipts."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    operations = [  # noqa: RUF012 - as makemigrations writes it
        migrations.CreateModel(
            name="Receipt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.IntegerField()),
                ("version", models.CharField(max_length=100)),
                ("pid", models.IntegerField()),
                ("done_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
    ]
