"""System checks of the configuration."""

from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from ainews_site.infra.places import SERVER_PACKAGES
from ainews_site.queue.config import MAX_VISIBILITY_TIMEOUT, clusters, longest_hold


@register("ainews")
def check_queue(**_: Any) -> list[CheckMessage]:
    """Check that no message is redelivered while its task may still run."""
    return [
        message
        for name, cluster in clusters(settings.Q_CLUSTER).items()
        for message in _check_cluster(name, cluster)
    ]


def _check_cluster(name: str, cluster: dict[str, Any]) -> list[CheckMessage]:
    if cluster["workers"] < 1:
        message = f"WORKERS must be at least 1, not {cluster['workers']}."
        return [Error(message, id="ainews.E004")]
    hold, retry = longest_hold(cluster), cluster["retry"]
    if retry <= hold:
        message = (
            f"The queue {name} redelivers a message after {retry} s, but its task may wait and "
            f"run for {hold} s, so it would run twice."
        )
        hint = f"Set retry above {hold} in Q_CLUSTER, or timeout ({cluster['timeout']}) lower."
        return [Error(message, hint=hint, id="ainews.E001")]
    if "sqs" in cluster and retry > MAX_VISIBILITY_TIMEOUT:
        message = (
            f"SQS hides a message for 12 hours at most, so retry of {name} can't be {retry} s."
        )
        return [Error(message, id="ainews.E003")]
    return []


@register("ainews")
def check_sqs(**_: Any) -> list[CheckMessage]:
    if "sqs" not in settings.Q_CLUSTER or find_spec("boto3"):
        return []
    hint = f"Install {SERVER_PACKAGES}, or leave QUEUE_URL empty."
    return [Error("QUEUE_URL names SQS, but boto3 is not installed.", hint=hint, id="ainews.E005")]


@register("ainews")
def check_rabbit(**_: Any) -> list[CheckMessage]:
    if "rabbit" not in settings.Q_CLUSTER or find_spec("pika"):
        return []
    hint = f"Install {SERVER_PACKAGES}, or leave QUEUE_URL empty."
    return [
        Error("QUEUE_URL names RabbitMQ, but pika is not installed.", hint=hint, id="ainews.E007")
    ]


@register("ainews")
def check_redis(**_: Any) -> list[CheckMessage]:
    if not settings.REDIS_URL or find_spec("channels_redis"):
        return []
    hint = f"Install {SERVER_PACKAGES}, or leave REDIS_URL empty."
    return [
        Error("REDIS_URL is set, but channels-redis is not installed.", hint=hint, id="ainews.E006")
    ]


@register("serving")
def check_secret_key(**_: Any) -> list[CheckMessage]:
    """Check that nobody can guess the key. With it, one can sign in as anybody."""
    if not is_weak_key(settings.SECRET_KEY):
        return []
    message = "SECRET_KEY can be guessed."
    hint = "Leave it empty, so that one is generated in DATA, or set 50 random characters."
    if place := public_place():
        message = f"SECRET_KEY can be guessed, and others can reach this site ({place})."
        return [Error(message, hint=hint, id="ainews.E008")]
    return [Warning(message, hint=hint, id="ainews.W001")]


def is_weak_key(key: str) -> bool:
    return len(key) < 20 or len(set(key)) < 5 or key.startswith("django-insecure-")


@register("serving")
def check_debug(**_: Any) -> list[CheckMessage]:
    if not settings.DEBUG or not (place := public_place()):
        return []
    message = (
        f"DEBUG shows code and settings to everybody, and others can reach this site ({place})."
    )
    hint = "Set DEBUG=False, or HOST=127.0.0.1 without SITE_URL and ALLOWED_HOSTS."
    return [Error(message, hint=hint, id="ainews.E009")]


def public_place() -> str:
    """Return the setting by which others than this machine can reach the site, or ""."""
    for name, hosts in (
        ("SITE_URL", [urlsplit(settings.SITE_URL).hostname or "localhost"]),
        ("HOST", [settings.HOST]),
        ("ALLOWED_HOSTS", settings.ALLOWED_HOSTS),
    ):
        for host in hosts:
            if not is_local(host):
                return f"{name} has {host}"
    return ""


def is_local(host: str) -> bool:
    plain = host.strip("[]").removeprefix(".")
    return plain.endswith("localhost") or plain == "::1" or plain.startswith("127.")


@register("ainews")
def check_names(**_: Any) -> list[CheckMessage]:
    """Warn of misspelt and deprecated settings."""
    return [Warning(sentence, id="ainews.W004") for sentence in settings.NAME_WARNINGS]


@register("ainews")
def check_port(**_: Any) -> list[CheckMessage]:
    if 0 < settings.PORT < 65536:
        return []
    return [Error(f"PORT must be 1 to 65535, not {settings.PORT}.", id="ainews.E002")]


@register("ainews")
def check_mail(**_: Any) -> list[CheckMessage]:
    """Check that everything that e-mail needs is configured."""
    if not settings.EMAIL_URL:
        return []
    missing = [name for name in ("EMAIL_FROM", "SITE_URL") if not getattr(settings, name)]
    message = "EMAIL_URL is set but {} is not, so digests can't be sent by e-mail."
    hint = (
        "EMAIL_FROM is the sender. SITE_URL, such as https://news.example.org, is in each e-mail."
    )
    return [Warning(message.format(name), hint=hint, id="ainews.W002") for name in missing]


@register("ainews")
def check_https(**_: Any) -> list[CheckMessage]:
    if not settings.SITE_URL.startswith("https:") or settings.TRUSTED_PROXIES:
        return []
    message = (
        "SITE_URL is https, but TRUSTED_PROXIES is empty, so the site can't tell which requests"
        " came by HTTP, and doesn't redirect them."
    )
    hint = "Name the proxy in TRUSTED_PROXIES: 127.0.0.1,::1 for one on this machine."
    return [Warning(message, hint=hint, id="ainews.W003")]
