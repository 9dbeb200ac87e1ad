"""The WSGI entry point, for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

from ainews_site.config.role import serve_pages
from ainews_site.infra.gc_tuning import freeze_loaded_objects

serve_pages(keeps_threads=True)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ainews_site.settings")
pages = get_wsgi_application()  # must run before anything imports models or reads settings

from ainews_site.infra.memo import fill_in_background  # noqa: E402
from ainews_site.text_checks import CheckedWSGIRequest  # noqa: E402
from ainews_site.wait_limit import WaitGate  # noqa: E402

pages.request_class = CheckedWSGIRequest
application = WaitGate(pages)
fill_in_background()
freeze_loaded_objects()
