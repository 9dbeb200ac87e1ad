"""Request one URL with eight concurrent clients for some seconds, from a separate process.

    python -m benchmarks.clients URL SESSION SECONDS

Prints requests per second and the 95th percentile in milliseconds. URL must be on this machine.
"""

import http.client
import statistics
import sys
import threading
import time
from urllib.parse import quote, urlsplit

CLIENTS = 8


def main() -> None:
    address, session, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    times: list[float] = []
    until = time.monotonic() + seconds
    threads = [
        threading.Thread(target=ask, args=(address, session, until, times)) for _ in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(len(times) / seconds, statistics.quantiles(times, n=20)[-1] * 1000)


def ask(address: str, session: str, until: float, times: list[float]) -> None:
    url = urlsplit(address)
    assert url.hostname == "127.0.0.1"
    connection = http.client.HTTPConnection("127.0.0.1", url.port, timeout=60)
    path = quote(f"{url.path}?{url.query}", safe="/?=&")
    while time.monotonic() < until:
        started = time.monotonic()
        connection.request("GET", path, headers={"Cookie": f"sessionid={session}"})
        response = connection.getresponse()
        response.read()
        assert response.status == 200, response.status
        times.append(time.monotonic() - started)


if __name__ == "__main__":
    main()
