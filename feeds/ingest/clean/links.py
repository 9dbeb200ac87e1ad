"""Bring addresses to one form, so that the same page is the same string. Pure."""

import re
from urllib.parse import urljoin, urlsplit, urlunsplit

_TRACKING_PREFIXES = ("utm_", "mc_", "_hs", "pk_", "mtm_", "matomo_", "guce_", "hsa_", "ga_")
_TRACKING_NAMES = (
    "fbclid gclid dclid gbraid wbraid msclkid yclid twclid ttclid igshid igsh li_fat_id mkt_tok"
    " ref ref_src ref_url referrer cmpid cmp ncid s_cid s_kwcid sr_share guccounter xtor wt_mc"
    " wt_zmc __twitter_impression ocid smid smtyp trk trkinfo vero_id vero_conv oly_anon_id"
    " oly_enc_id __s rss_id ito at_medium at_campaign srnd"
)
_TRACKING = frozenset(_TRACKING_NAMES.split())
_DEFAULT_PORTS = {"http": 80, "https": 443}
# What most addresses look like already; they are left as they are.
_CANONICAL = re.compile(r"https?://[a-z0-9-]+(?:\.[a-z0-9-]+)+/[A-Za-z0-9/_.~%+,;=@!$'()*-]*\Z")
_BLANKS = re.compile(r"[\t\r\n\0]+")
_UNSAFE = re.compile(r"[\s\"<>\\^`{|}\x00-\x20\x7f]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_DOTS = re.compile(r"/\.\.?(?:/|$)")


def canonical_url(url: str, base: str = "", *, keep_fragment: bool = False) -> str:
    """`url` absolute, without trackers, default port and fragment; "" if not http(s).

    Idempotent. Scheme and host are lower-cased (RFC 3986 6.2.2), the query keeps its
    order and spelling, an empty path becomes `/`.
    """
    if _CANONICAL.match(url) and not _DOTS.search(url):
        return url
    try:
        return _rebuild(absolute_url(url, base), keep_fragment)
    except ValueError:  # brackets, ports and hosts that are none
        return ""


def absolute_url(url: str, base: str = "") -> str:
    """`url` resolved against `base`, cleared of blanks; not yet checked for its scheme."""
    url = _SURROGATES.sub("", _BLANKS.sub("", url)).strip()
    if not url:
        return ""
    if url[:8].lower().startswith(("http://", "https://")):
        return urljoin(url, url) if _DOTS.search(url) else url
    return urljoin(base, url) if base else url


def _rebuild(url: str, keep_fragment: bool) -> str:
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return ""
    path = _escape(parts.path) or "/"
    query = _without_trackers(_escape(parts.query))
    fragment = _escape(parts.fragment) if keep_fragment else ""
    return urlunsplit((parts.scheme, _host(parts.netloc, parts.scheme), path, query, fragment))


def _host(netloc: str, scheme: str) -> str:
    user, at, host = netloc.rpartition("@")
    host = _UNSAFE.sub("", host).lower().rstrip(".")
    name, colon, port = host.rpartition(":")
    if ":" in name and not name.startswith("["):
        raise ValueError(netloc)
    if colon and not port.endswith("]"):
        number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else None
        if port and number is None:
            raise ValueError(netloc)
        name = name.rstrip(".")
        keeps = port and number != _DEFAULT_PORTS[scheme]
        host = f"{name}:{number}" if keeps else name
    if not host or host.startswith(":"):
        raise ValueError(netloc)
    return _escape(user) + at + host


def _escape(text: str) -> str:
    return _UNSAFE.sub(_percent, text)


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found.group().encode("utf-8"))


def _without_trackers(query: str) -> str:
    if not query:
        return ""
    return "&".join([part for part in query.split("&") if part and not _is_tracker(part)])


def _is_tracker(part: str) -> bool:
    name, _, value = part.partition("=")
    name = name.lower().removeprefix("amp;")
    if name in _TRACKING or name.startswith(_TRACKING_PREFIXES):
        return True
    return name == "source" and value.lower().startswith("rss")
