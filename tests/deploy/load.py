"""A small constant load on a site, through its certificate, until standard input is closed.

    python -m tests.deploy.load HOST CA_FILE [SIGN_IN_LINK]

Prints a JSON object: the number of answers, the longest time, and what failed. Each request has a
connection of its own, so that a port that is closed for a moment is noticed.
"""

import http.client
import json
import re
import socket
import ssl
import sys
import threading
import time
from urllib.parse import urlencode, urlsplit

READERS, PAUSE, PATIENCE = 3, 0.4, 60.0
PATHS = ("/", "/river/", "/sources/", "/signin/", "/health")


class Connection(http.client.HTTPSConnection):
    """A connection to this machine, whatever the name of the host."""

    def __init__(self, host: str, context: ssl.SSLContext) -> None:
        super().__init__(host, context=context, timeout=PATIENCE)
        self.tls = context

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", 443), PATIENCE)
        self.sock = self.tls.wrap_socket(plain, server_hostname=self.host)


class Site:
    def __init__(self, host: str, authority: str) -> None:
        self.host, self.tls = host, ssl.create_default_context(cafile=authority)
        self.cookies: dict[str, str] = {}
        self.times: list[float] = []
        self.failures: list[str] = []
        self.is_over = False

    def request(self, path: str, form: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Return the status, the text and where it leads."""
        connection = Connection(self.host, self.tls)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["Referer"] = f"https://{self.host}/"
        connection.request("POST" if form else "GET", path, urlencode(form or {}), headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        connection.close()
        return answer.status, text, answer.headers.get("Location", "")

    def sign_in(self, link: str) -> None:
        path = urlsplit(link).path
        status, text, _ = self.request(path)
        if token := re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', text):
            status, text, _ = self.request(path, {"csrfmiddlewaretoken": token[1]})
        assert status in (200, 302), (status, text[:500])
        assert self.request("/sources/")[0] == 200, "The link did not sign in."

    def read(self) -> None:
        number = 0
        while not self.is_over:
            path = PATHS[number % len(PATHS)]
            number += 1
            began = time.monotonic()
            try:
                status = self.request(path)[0]
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{path}: {error!r}")
            else:
                self.times.append(time.monotonic() - began)
                if status not in (200, 302):
                    self.failures.append(f"{path}: {status}")
            time.sleep(PAUSE)


def main(host: str, authority: str, link: str = "") -> None:
    site = Site(host, authority)
    if link:
        site.sign_in(link)
    readers = [threading.Thread(target=site.read) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    print("ready", flush=True)
    sys.stdin.read()
    site.is_over = True
    for reader in readers:
        reader.join()
    longest = round(max(site.times, default=0.0), 2)
    print(json.dumps({"answers": len(site.times), "longest": longest, "failures": site.failures}))


if __name__ == "__main__":
    main(*sys.argv[1:])
