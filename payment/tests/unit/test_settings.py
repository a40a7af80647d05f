"""Settings: which API key belongs to which environment, and what secrets must be like."""

import pytest

from chassis.settings import Secret, SettingsError, read
from payment.settings import Settings

MINIMAL = {"DATABASE_PASSWORD": "secret", "STRIPE_API_KEY": "sk_test_any"}


def test_the_defaults_are_those_of_development() -> None:
    settings = read(Settings, MINIMAL)
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
def test_each_environment_accepts_its_own_api_keys(environment: str, key: str) -> None:
    environment_variables = MINIMAL | {"ENVIRONMENT": environment, "STRIPE_API_KEY": key}
    assert read(Settings, environment_variables).stripe_api_key == Secret(key)


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
def test_any_other_api_key_is_refused_without_showing_it(environment: str, key: str) -> None:
    environment_variables = MINIMAL | {"ENVIRONMENT": environment, "STRIPE_API_KEY": key}
    with pytest.raises(SettingsError) as error:
        read(Settings, environment_variables)
    assert "STRIPE_API_KEY" in str(error.value)
    assert key not in str(error.value)


def test_a_live_api_key_is_never_sent_without_tls() -> None:
    environment_variables = MINIMAL | {"ENVIRONMENT": "production", "STRIPE_API_KEY": "sk_live_1"}
    with pytest.raises(SettingsError, match="STRIPE_BASE_ADDRESS"):
        read(Settings, environment_variables | {"STRIPE_BASE_ADDRESS": "http://proxy.example"})
    read(Settings, environment_variables | {"STRIPE_BASE_ADDRESS": "https://proxy.example"})


def test_a_password_in_the_database_url_is_refused() -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        read(Settings, MINIMAL | {"DATABASE_URL": "postgresql://payment:word@127.0.0.1/payment"})


OLD, NEW = "whsec_0123456789abcdef", "whsec_fedcba9876543210"


@pytest.mark.parametrize(
    ("environment_variables", "secrets"),
    [
        ({}, []),
        ({"STRIPE_WEBHOOK_SECRET": OLD}, [OLD]),
        ({"STRIPE_WEBHOOK_SECRET": f"{OLD}\n{NEW}\n"}, [OLD, NEW]),
    ],
    ids=["none", "one", "two while they are rotated"],
)
def test_each_line_of_the_webhook_secret_is_a_secret(
    environment_variables: dict[str, str], secrets: list[str]
) -> None:
    settings = read(Settings, MINIMAL | environment_variables)
    assert settings.webhook_listen_address == "127.0.0.1:50062"
    assert settings.webhook_secrets == secrets
    assert OLD not in repr(settings)


@pytest.mark.parametrize("secret", ["hunter2", f"{OLD}\nhunter2", f"{OLD}\n{NEW}\n{OLD}"])
def test_a_short_webhook_secret_or_a_third_one_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(SettingsError, match="STRIPE_WEBHOOK_SECRET") as error:
        read(Settings, MINIMAL | {"STRIPE_WEBHOOK_SECRET": secret})
    assert "hunter2" not in str(error.value)
