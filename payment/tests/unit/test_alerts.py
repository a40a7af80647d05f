"""AlertThrottle: an alert about a resource is raised at most once an hour."""

from datetime import timedelta

from support.examples import NOW

from payment.service_layer.alerts import AlertThrottle

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def test_an_alert_is_raised_the_first_time_and_again_an_hour_later() -> None:
    throttle = AlertThrottle()
    times = [NOW, NOW + SECOND, NOW + HOUR - SECOND, NOW + HOUR, NOW + HOUR + SECOND]
    raised = [throttle.is_time("payments/1", time) for time in times]
    assert raised == [True, False, False, True, False]


def test_each_resource_has_its_own_hour() -> None:
    throttle = AlertThrottle()
    assert throttle.is_time("payments/1", NOW)
    assert throttle.is_time("payments/2", NOW + HOUR / 2)
    assert throttle.is_time("payments/1", NOW + HOUR)
    assert not throttle.is_time("payments/2", NOW + HOUR)


def test_resources_whose_hour_is_over_are_forgotten() -> None:
    """Otherwise a process would remember every payment that was ever overdue."""
    throttle = AlertThrottle()
    for number in range(100):
        assert throttle.is_time(f"payments/{number}", NOW)
    throttle.is_time("payments/100", NOW + HOUR)
    assert len(throttle._raised) == 1
