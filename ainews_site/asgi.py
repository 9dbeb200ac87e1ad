"""The ASGI entry point, for daphne: pages over HTTP, and live updates over WebSockets."""

import os

from django.core.asgi import get_asgi_application

from ainews_site.config.role import serve_pages
from ainews_site.process.lifeline import follow_parent
from ainews_site.process.open_files import raise_open_files
from ainews_site.process.reactor_notify import notify_systemd

follow_parent()
raise_open_files()
serve_pages()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ainews_site.settings")
http = get_asgi_application()  # must run before anything imports models

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402

from ainews_site import daphne_limits, daphne_stop  # noqa: E402
from ainews_site.infra.gc_tuning import freeze_loaded_objects  # noqa: E402
from ainews_site.infra.memo import fill_in_background  # noqa: E402
from ainews_site.load_gate import LoadGate  # noqa: E402
from ainews_site.request_log import SocketLog  # noqa: E402
from ainews_site.start_checks import check_web_server  # noqa: E402
from ainews_site.text_checks import CheckedASGIRequest, CheckedSockets  # noqa: E402
from digests.web import routing as digests_routing  # noqa: E402
from feeds.web.live import routing as feeds_routing  # noqa: E402
from feeds.web.live.origins import allow_origins  # noqa: E402
from feeds.web.live.sign_in import ReaderSignIn  # noqa: E402

check_web_server()
http.request_class = CheckedASGIRequest
daphne_limits.install()
daphne_stop.install()
sockets = feeds_routing.websocket_urlpatterns + digests_routing.websocket_urlpatterns

application = ProtocolTypeRouter(
    {
        "http": LoadGate(http, settings.REQUESTS_AT_ONCE, settings.REQUESTS_WAITING),
        "websocket": SocketLog(allow_origins(CheckedSockets(ReaderSignIn(URLRouter(sockets))))),
    }
)
fill_in_background()
notify_systemd()
freeze_loaded_objects()
