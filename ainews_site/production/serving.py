"""Rows on what answers at the address of the site: TLS, static files, health, metrics.

They ask the site itself, as a browser would, at SITE_URL, or else at HOST and PORT.
"""

import http.client
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage

from ainews_site.production.row import Outcome, not_done, ok, warning

PATIENCE = 10.0
FEW_DAYS = 14
"""A certificate that ends sooner should have been renewed. certbot does it 30 days before."""
YEAR = "max-age=31536000"
SOME_FILE = "css/base.css"
START = "Start the site, and check SITE_URL."
METRICS_REMEDY = (
    "Set METRICS_TOKEN or METRICS_NETWORKS in .env, and let Prometheus scrape /metrics."
)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]


class NoAnswerError(Exception):
    """The message says which address did not answer, and why."""


def base_url() -> str:
    return settings.SITE_URL or f"http://{settings.HOST}:{settings.PORT}"


def get(path: str, base: str = "", **headers: str) -> Answer:
    """Return the answer to a GET. Redirects are not followed. Raises NoAnswerError."""
    base = base or base_url()
    url = urlsplit(base)
    kind: type[http.client.HTTPConnection] = (
        http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    )
    connection = kind(url.hostname or "", url.port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        response.read()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()})
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswerError(f"{base}{path} does not answer ({error}).") from error
    finally:
        connection.close()


def tls() -> Outcome:
    """Check the certificate, and that HTTP leads to HTTPS."""
    url = urlsplit(settings.SITE_URL)
    if url.scheme != "https":
        return not_done(
            f"The site is served at {base_url()}, without TLS.",
            "Set SITE_URL=https://…; see docs/how-to/run-on-a-server.md.",
        )
    try:
        days = certificate_days(url.hostname or "", url.port or 443)
    except ssl.SSLError as error:
        return not_done(
            f"The certificate is not valid ({error.reason}).", "Renew it, and reload Nginx."
        )
    except OSError as error:
        return not_done(f"{settings.SITE_URL} does not answer ({error}).", START)
    if days < FEW_DAYS:
        return warning(f"The certificate ends in {days} days.", "Run certbot renew.")
    if not settings.TRUSTED_PROXIES:
        return warning(
            "HTTP is not redirected to HTTPS.", "Set TRUSTED_PROXIES to the address of the proxy."
        )
    if not settings.SECURE_HSTS_SECONDS:
        return warning(
            "Browsers may use HTTP for the next visit (HSTS is off).", "Unset HSTS_SECONDS."
        )
    has_usual_port = url.port in (None, 443)  # else the port of HTTP is not known
    if has_usual_port and (problem := http_problem(f"http://{url.hostname}")):
        return warning(problem, "Let the proxy redirect it; see deploy/nginx-tls.conf.")
    return ok(f"The certificate is valid for {days} days, and nothing is served over HTTP.")


def http_problem(base: str) -> str:
    """Return a sentence if `base`, the site over HTTP, serves pages, else ""."""
    try:
        answer = get("/signin/", base)
    except NoAnswerError:
        return ""
    is_redirected = answer.headers.get("location", "").startswith("https://")
    return "" if is_redirected else f"{base} answers {answer.status} and leads to no HTTPS."


def certificate_days(host: str, port: int) -> int:
    """Return for how many days the certificate of a server is valid. Raises OSError."""
    context = ssl.create_default_context()
    with (
        socket.create_connection((host, port), timeout=PATIENCE) as wire,
        context.wrap_socket(wire, server_hostname=host) as server,
    ):
        certificate: dict[str, Any] = server.getpeercert() or {}
    ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    return int((ends - time.time()) // 86_400)


def static_files() -> Outcome:
    """Check that browsers and a CDN may keep static files for a year."""
    url = urlsplit(staticfiles_storage.url(SOME_FILE))
    base = f"{url.scheme or 'https'}://{url.netloc}" if url.netloc else ""
    try:
        answer = get(url.path, base, **{"Accept-Encoding": "gzip, br"})
    except NoAnswerError as error:
        return not_done(str(error), START)
    place = base or base_url()
    if answer.status != 200:
        return not_done(
            f"{place}{url.path} answers {answer.status}.",
            "Let the CDN fetch from this site; see STATIC_URL in .env.example.",
        )
    if YEAR not in answer.headers.get("cache-control", ""):
        return warning(
            f"{place} lets static files be cached only by {answer.headers.get('cache-control')!r}.",
            "Pass the Cache-Control header of AI News on.",
        )
    if "content-encoding" not in answer.headers:
        return warning(f"{place} sends static files uncompressed.", "Pass Accept-Encoding on.")
    who = f"The CDN at {base}" if base else "The site itself"
    return ok(f"{who} sends static files compressed, to be cached for a year.")


def health() -> Outcome:
    try:
        answers = {path: get(path).status for path in ("/health", "/health/ready")}
    except NoAnswerError as error:
        return not_done(str(error), START)
    if failed := {path: status for path, status in answers.items() if status != 200}:
        path, status = next(iter(failed.items()))
        return not_done(
            f"{path} answers {status}.", f"Run curl {base_url()}{path}, which says why."
        )
    return ok(f"/health and /health/ready answer 200 at {base_url()}.")


def monitoring() -> Outcome:
    """Check that the metrics can be read, and not by everybody."""
    if settings.METRICS_TOKEN or settings.METRICS_NETWORKS or not settings.METRICS_LISTEN:
        return _site_metrics()
    place = f"http://{settings.METRICS_LISTEN}"
    try:
        status = get("/metrics", place).status
    except NoAnswerError as error:
        return not_done(str(error), "Start the worker, which serves METRICS_LISTEN.")
    if status == 200:
        return ok(f"{place}/metrics answers; nobody else should reach that port.")
    return not_done(f"{place}/metrics answers {status}.", METRICS_REMEDY)


def _site_metrics() -> Outcome:
    token, networks = settings.METRICS_TOKEN, settings.METRICS_NETWORKS
    try:
        without = get("/metrics").status
        answer = get("/metrics", Authorization=f"Bearer {token}").status if token else without
    except NoAnswerError as error:
        return not_done(str(error), START)
    if any(str(network).endswith("/0") for network in networks) or (
        without == 200 and not networks
    ):
        return not_done("/metrics answers everybody.", METRICS_REMEDY)
    if answer == 200:
        return ok("/metrics answers those who may read it, and nobody else.")
    if networks:
        return warning(
            f"/metrics answers {answer} to this machine, which METRICS_NETWORKS does not name.",
            "Run this command where Prometheus runs, or ask its page of targets.",
        )
    return not_done(f"/metrics answers {answer}, so nothing watches the site.", METRICS_REMEDY)
