"""What makes the site an app that can be installed: a manifest, a service worker, an offline page.

The worker caches the offline page and the static files that it needs, and never a reader's page.
"""

import json

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.templatetags.static import static
from django.views.decorators.cache import cache_control

from ainews_site.errors import OFFLINE
from ainews_site.infra.problem_page import page_of

OFFLINE_FILES = ("css/problem.css", "icon.svg")
PAPER, NIGHT = "#fbfaf7", "#131416"


@cache_control(max_age=3600, public=True)
def manifest(request: HttpRequest) -> JsonResponse:
    icons = [
        ("icon.svg", "any", "image/svg+xml", "any"),
        ("icons/icon-192.png", "192x192", "image/png", "any"),
        ("icons/icon-512.png", "512x512", "image/png", "any"),
        ("icons/maskable-512.png", "512x512", "image/png", "maskable"),
    ]
    return JsonResponse(
        {
            "name": "AI News",
            "short_name": "AI News",
            "description": "AI news from the sources you follow, grouped into stories.",
            "id": "/",
            "start_url": "/",
            "scope": "/",
            "display": "standalone",
            "theme_color": PAPER,
            "background_color": PAPER,
            "icons": [
                {"src": static(name), "sizes": sizes, "type": kind, "purpose": purpose}
                for name, sizes, kind, purpose in icons
            ],
            "shortcuts": [
                {"name": name, "url": url}
                for name, url in (
                    ("Stories", "/"),
                    ("River", "/river/"),
                    ("Digest", "/digest/"),
                    ("Search", "/search/"),
                )
            ],
        },
        content_type="application/manifest+json",
    )


@cache_control(no_cache=True)
def service_worker(request: HttpRequest) -> HttpResponse:
    """The worker. Its text changes with the files that it caches, so browsers notice new ones."""
    files = ["/offline/", *(static(name) for name in OFFLINE_FILES)]
    text = f'self.FILES = {json.dumps(files)};\nimportScripts("{static("js/worker.js")}");\n'
    return HttpResponse(text, content_type="text/javascript")


@cache_control(no_cache=True)
def offline(request: HttpRequest) -> HttpResponse:
    return HttpResponse(page_of(OFFLINE))
