"""Settings: where they are read, and that every error names its variable."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest

from chassis.settings import Between, Secret, ServiceSettings, SettingsError, read


@dataclass(frozen=True, kw_only=True)
class Everything:
    name: str
    password: Secret
    pool_size: Annotated[int, Between(1, 20)] = 10
    drain_seconds: Annotated[float, Between(0, 60)] = 1.5
    environment: Literal["development", "production"] = "development"
    folder: Path | None = None


LEAST = {"NAME": "x", "PASSWORD": "p"}


def test_a_field_is_the_variable_of_its_name_or_has_its_default() -> None:
    found = read(Everything, LEAST | {"POOL_SIZE": "3", "FOLDER": "/x", "OTHER": "y"})
    assert (found.name, found.pool_size, found.folder) == ("x", 3, Path("/x"))
    assert (found.drain_seconds, found.environment) == (1.5, "development")
    assert found.password.reveal() == "p"


def test_a_field_may_be_the_stripped_content_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("  secret\n")
    found = read(Everything, {"NAME": "x", "PASSWORD_FILE": str(tmp_path / "password")})
    assert found.password.reveal() == "secret"


def test_a_secret_in_a_file_can_be_changed_while_the_service_runs(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("old\n")
    secret = read(Everything, {"NAME": "x", "PASSWORD_FILE": str(file)}).password
    file.write_text("new\n")
    assert (secret.reveal(), secret.reveal_anew()) == ("old", "new")
    file.write_text("")
    assert secret.reveal_anew() == "old", "it is just being written"
    file.unlink()
    assert secret.reveal_anew() == "old"
    assert Secret("typed").reveal_anew() == "typed"


def test_an_empty_variable_counts_as_absent() -> None:
    assert read(Everything, LEAST | {"POOL_SIZE": "", "NAME_FILE": ""}).pool_size == 10


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"NAME": "x"}, "PASSWORD is not set; set it, or PASSWORD_FILE"),
        ({"NAME": "", "PASSWORD": "p"}, "NAME is not set"),
        (LEAST | {"NAME_FILE": "/x"}, "NAME and NAME_FILE are both set"),
        ({"NAME": "x", "PASSWORD_FILE": "/nowhere"}, "PASSWORD_FILE (/nowhere): No such file"),
        (LEAST | {"POOL_SIZE": "many"}, "POOL_SIZE must be a whole number"),
        (LEAST | {"POOL_SIZE": "0"}, "POOL_SIZE must be between 1 and 20"),
        (LEAST | {"DRAIN_SECONDS": "nan"}, "DRAIN_SECONDS must be between 0 and 60"),
        (LEAST | {"DRAIN_SECONDS": "x"}, "DRAIN_SECONDS must be a number"),
        (LEAST | {"ENVIRONMENT": "test"}, "ENVIRONMENT must be one of development, production"),
    ],
)
def test_an_error_names_the_variable_and_the_rule(variables: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(Everything, variables)
    assert sentence in str(caught.value)


def test_all_wrong_variables_are_named_at_once_and_no_value_is_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        read(Everything, {"PASSWORD": "hunter2", "POOL_SIZE": "hunter2"})
    assert "NAME is not set" in str(caught.value)
    assert "POOL_SIZE must be" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_empty_secret_file_is_an_error_not_an_empty_password(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("\n")
    with pytest.raises(SettingsError, match="PASSWORD is empty in the file"):
        read(Everything, {"NAME": "x", "PASSWORD_FILE": str(tmp_path / "password")})


def test_a_secret_is_shown_only_when_it_is_revealed() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]} {read(Everything, LEAST)}"
    assert secret == Secret("hunter2")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://customer:hunter2@127.0.0.1/customer",
        "postgresql://customer:@127.0.0.1/customer",
        "postgresql://127.0.0.1/customer",
        "postgresql://customer@127.0.0.1",
        "mysql://customer@127.0.0.1/customer",
        "customer",
    ],
)
def test_a_database_url_needs_a_role_and_a_database_and_no_password(url: str) -> None:
    others = {"LISTEN_ADDRESS": "127.0.0.1:1", "DATABASE_PASSWORD": "p"}
    good = others | {"DATABASE_URL": "postgresql://customer@127.0.0.1:5432/customer"}
    assert read(ServiceSettings, good).drain_seconds == 10
    with pytest.raises(SettingsError, match=r"DATABASE_URL must be postgresql://role@") as caught:
        read(ServiceSettings, others | {"DATABASE_URL": url})
    assert "hunter2" not in str(caught.value)
