"""The WSGI entry point, for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

from ainews_site.config.role import serve_pages
from ainews_site.infra.gc_tuning import freeze_loaded_objects
from ainews_site.process.boot import end_web_server

serve_pages(keeps_threads=True)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ainews_site.settings")
try:
    pages = get_wsgi_application()  # must run before anything imports models or reads settings
except SystemExit as error:  # a setting is wrong
    end_web_server(error)

from django.urls import resolve  # noqa: E402

from ainews_site.infra.memo import fill_in_background  # noqa: E402
from ainews_site.start_checks import check_web_server  # noqa: E402
from ainews_site.text_checks import CheckedWSGIRequest  # noqa: E402
from ainews_site.wait_limit import WaitGate  # noqa: E402

check_web_server()
resolve("/health")  # imports all views, which would make the first request slow
pages.request_class = CheckedWSGIRequest
application = WaitGate(pages)
fill_in_background()
freeze_loaded_objects()
