"""Brings addresses into a canonical form, so that the same page has the same address. Pure."""

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
# Most addresses are canonical already and need no parsing.
_CANONICAL = re.compile(
    r"https?://[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::(?!(?:80|443)/)[1-9][0-9]{0,4})?"
    r"/[A-Za-z0-9/_.~%+,;=@!$'()*-]*\Z"
)
_BLANKS = re.compile(r"[\t\r\n\0]+")
_UNSAFE = re.compile(r"[\s\"<>\\^`{|}\x00-\x20\x7f]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_DOTS = re.compile(r"/\.\.?(?:/|$)")


def canonical_url(url: str, base: str = "", *, keep_fragment: bool = False) -> str:
    """Return `url` as absolute and canonical, or "" if it isn't a valid http(s) address.

    Tracking parameters, the default port and the fragment are removed, scheme and host are
    lower-cased (RFC 3986, 6.2.2), and an empty path becomes `/`. The query keeps its order and
    spelling. The function is idempotent.
    """
    if _CANONICAL.match(url) and not _DOTS.search(url):
        return url
    try:
        return _rebuild(absolute_url(url, base), keep_fragment)
    except ValueError:  # an invalid host or port
        return ""


def absolute_url(url: str, base: str = "") -> str:
    """Return `url` without blanks and resolved against `base`. Its scheme is not checked."""
    if not (url.isascii() and url.isprintable()):  # else it has none of these characters
        url = _SURROGATES.sub("", _BLANKS.sub("", url))
    url = url.strip()
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


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode("utf-8"))


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
