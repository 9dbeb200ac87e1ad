"""What gunicorn reads when it is started in this folder."""

logger_class = "ainews_site.observe.gunicorn_logger.Logger"
