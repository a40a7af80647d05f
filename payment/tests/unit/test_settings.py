"""Which key may be used where: no real money in development, and no test key in production."""

import pytest

from chassis.settings import Secret, SettingsError, read
from payment.settings import Settings

USUAL = {"DATABASE_PASSWORD": "secret", "STRIPE_API_KEY": "sk_test_any"}


def test_the_defaults_are_those_of_a_laptop() -> None:
    settings = read(Settings, USUAL)
    assert settings.environment == "development"
    assert settings.listen_address == "127.0.0.1:50052"
    assert settings.customer_target == "ipv4:127.0.0.1:50051"
    assert settings.stripe_base_address is None
    assert settings.stripe_api_key == Secret("sk_test_any")


@pytest.mark.parametrize(
    ("environment", "key"),
    [
        ("development", "sk_test_1"),
        ("development", "rk_test_1"),
        ("production", "sk_live_1"),
        ("production", "rk_live_1"),
    ],
)
def test_each_environment_takes_its_own_keys(environment: str, key: str) -> None:
    said = USUAL | {"ENVIRONMENT": environment, "STRIPE_API_KEY": key}
    assert read(Settings, said).stripe_api_key == Secret(key)


@pytest.mark.parametrize(
    ("environment", "key"),
    [
        ("development", "sk_live_1"),
        ("development", "rk_live_1"),
        ("production", "sk_test_1"),
        ("production", "rk_test_1"),
        ("development", "pk_test_1"),
        ("production", "pk_live_1"),
        ("development", "hunter2"),
        ("production", "xsk_live_1"),
    ],
)
def test_every_other_key_is_refused_and_not_repeated(environment: str, key: str) -> None:
    said = USUAL | {"ENVIRONMENT": environment, "STRIPE_API_KEY": key}
    with pytest.raises(SettingsError) as error:
        read(Settings, said)
    assert "STRIPE_API_KEY" in str(error.value)
    assert key not in str(error.value)


def test_a_live_key_goes_nowhere_in_the_clear() -> None:
    said = USUAL | {"ENVIRONMENT": "production", "STRIPE_API_KEY": "sk_live_1"}
    with pytest.raises(SettingsError, match="STRIPE_BASE_ADDRESS"):
        read(Settings, said | {"STRIPE_BASE_ADDRESS": "http://proxy.example"})
    read(Settings, said | {"STRIPE_BASE_ADDRESS": "https://proxy.example"})


def test_what_the_chassis_asks_of_the_database_holds_here_too() -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        read(Settings, USUAL | {"DATABASE_URL": "postgresql://payment:word@127.0.0.1/payment"})


OLD, NEW = "whsec_0123456789abcdef", "whsec_fedcba9876543210"


@pytest.mark.parametrize(
    ("said", "secrets"),
    [
        ({}, []),
        ({"STRIPE_WEBHOOK_SECRET": OLD}, [OLD]),
        ({"STRIPE_WEBHOOK_SECRET": f"{OLD}\n{NEW}\n"}, [OLD, NEW]),
    ],
    ids=["none", "one", "two while they are rotated"],
)
def test_webhooks_have_a_secret_for_each_line(said: dict[str, str], secrets: list[str]) -> None:
    settings = read(Settings, USUAL | said)
    assert settings.webhook_listen_address == "127.0.0.1:50062"
    assert settings.webhook_secrets == secrets
    assert OLD not in repr(settings)


@pytest.mark.parametrize("secret", ["hunter2", f"{OLD}\nhunter2", f"{OLD}\n{NEW}\n{OLD}"])
def test_secrets_to_guess_and_too_many_are_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(SettingsError, match="STRIPE_WEBHOOK_SECRET") as error:
        read(Settings, USUAL | {"STRIPE_WEBHOOK_SECRET": secret})
    assert "hunter2" not in str(error.value)
