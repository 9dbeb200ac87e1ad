"""Eight clients that ask for one address for some seconds, in a process of their own.

    python -m benchmarks.clients ADDRESS SESSION SECONDS

Prints requests a second and the 95th percentile in milliseconds. ADDRESS is of this machine.
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
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        times.append(time.monotonic() - started)


if __name__ == "__main__":
    main()
