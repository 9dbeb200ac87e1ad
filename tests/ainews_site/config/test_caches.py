"""The settings of the channel layer."""

from ainews_site.config.caches import channel_layers
from ainews_site.infra.channel_layer import PatientLayer


def test_the_wait_for_events_is_that_of_the_setting_and_ends_before_the_time_out() -> None:
    config = channel_layers("redis://localhost:6379/0", 60)["default"]["CONFIG"]

    layer = PatientLayer(**config)

    assert layer.brpop_timeout == 60
    assert config["hosts"][0]["socket_timeout"] > 60
