"""What the service is told by its environment: one variable for each field, in capitals."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from chassis.settings import Between, OwnerSettings, Secret, ServiceSettings, SettingsError

LOG_FIELDS = ("about", "processor_request")
"""What this service's logs may hold, beside what every service's may."""
SHORTEST_SECRET = 16
MAX_SECRETS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ServiceSettings):
    """For `python -m payment`, beside the chassis's.

    Attributes:
        customer_target: where the Customer service is, as gRPC names it: `dns:///customer:50051`,
            `ipv4:10.0.0.1:50051,10.0.0.2:50051`.
        stripe_base_address: another place that speaks Stripe's API; None is Stripe itself.
        recovery_pool_size: database connections that are recovery's alone, beside the callers'.
        webhook_listen_address: where Stripe's webhooks come in: `host:port`.
        stripe_webhook_secret: what Stripe signs them with; two, a line each, while it is rotated.
            Without it nothing is listened to, and the service finds out by asking.
        environment: `production` moves real money, and nothing else does.
    """

    listen_address: str = "127.0.0.1:50052"
    database_url: str = "postgresql://payment@127.0.0.1:5432/payment"
    recovery_pool_size: Annotated[int, Between(1, 50)] = 4
    customer_target: str = "ipv4:127.0.0.1:50051"
    stripe_api_key: Secret
    stripe_base_address: str | None = None
    webhook_listen_address: str = "127.0.0.1:50062"
    stripe_webhook_secret: Secret | None = None
    environment: Literal["development", "production"] = "development"

    def __post_init__(self) -> None:
        ServiceSettings.__post_init__(self)
        mode = "live" if self.environment == "production" else "test"
        if not self.stripe_api_key.reveal().startswith((f"sk_{mode}_", f"rk_{mode}_")):
            raise SettingsError(
                f"STRIPE_API_KEY must begin with sk_{mode}_ or rk_{mode}_ where ENVIRONMENT is "
                f"{self.environment}: a live key moves real money, a test key none. Give the key "
                "that belongs to this environment."
            )
        for secret in self.webhook_secrets:
            if len(secret) < SHORTEST_SECRET:
                raise SettingsError(
                    f"STRIPE_WEBHOOK_SECRET must have {SHORTEST_SECRET} characters or more: who "
                    "guesses it can send us webhooks. Take what Stripe shows at the endpoint."
                )
        if len(self.webhook_secrets) > MAX_SECRETS:
            raise SettingsError(
                f"STRIPE_WEBHOOK_SECRET has more than {MAX_SECRETS} lines: one secret, or the old "
                "one and the new one while it is rotated."
            )
        base = self.stripe_base_address or "https://"
        if mode == "live" and not base.startswith("https://"):
            raise SettingsError(
                "STRIPE_BASE_ADDRESS must be https where ENVIRONMENT is production: the key goes "
                "there with every call."
            )

    @property
    def webhook_secrets(self) -> list[str]:
        """None, one, or two while they are rotated."""
        secret = self.stripe_webhook_secret
        return secret.reveal().split() if secret else []


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSettings(OwnerSettings):
    """For `python -m payment migrate` and `rebind`; the fields are the chassis's."""

    database_url: str = "postgresql://payment_owner@127.0.0.1:5432/payment"
    migrations_directory: Path = Path(__file__).parents[2] / "migrations"
