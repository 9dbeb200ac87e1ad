"""Notifies systemd from the event loop of daphne; see `deploy/ainews-live.service`."""

from ainews_site.infra.systemd import PINGS_PER_PERIOD, service


def notify_systemd() -> None:
    """Report the start when the event loop runs, and then that it does not hang."""
    if not service().is_managed:
        return
    from twisted.internet import reactor, task

    def run() -> None:
        service().ready("serves live updates")
        if period := service().period:
            # Twice as often as needed, because `ping` skips those that come early.
            task.LoopingCall(service().ping).start(period / PINGS_PER_PERIOD / 2)

    reactor.callWhenRunning(run)
