"""The checked values: which texts are accepted, which are refused, and by which rule."""

import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chassis.values import InvalidValue
from customer.domain.values import CustomerName, DisplayName, EmailAddress, PhoneNumber

UUID = "0192e0c4-5c8e-7d3a-9f6b-2b1c8d4e5f60"


def test_an_email_is_kept_as_it_was_written() -> None:
    assert EmailAddress("Alice.Smith@Example.COM").text == "Alice.Smith@Example.COM"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Alice@Example.com", "alice@eXAMPLE.COM"),
        ("JÖRG@example.com", "jörg@example.com"),
        ("jo\u0308rg@example.com", "jörg@example.com"),  # two characters, one letter
        ("a@exämple.com", "a@xn--exmple-cua.com"),  # a domain, and what DNS calls it
        ("STRASSE@example.com", "straße@example.com"),
        ("ΟΔΟΣ@example.com", "οδος@example.com"),
        ("\u0390@example.com", "\u03aa\u0301@example.com"),  # folding takes ΐ apart
    ],
)
def test_spellings_of_one_email_have_one_key(one: str, other: str) -> None:
    assert EmailAddress(one).key == EmailAddress(other).key


@given(st.from_regex(r"[a-zA-Z0-9]{1,20}@[a-zA-Z0-9]{1,20}\.[a-zA-Z]{2,6}", fullmatch=True))
def test_upper_and_lower_case_are_the_same_email(text: str) -> None:
    try:
        key = EmailAddress(text).key
    except InvalidValue:  # such as a domain for special use
        return
    assert EmailAddress(text.upper()).key == EmailAddress(text.lower()).key == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice",
        "@example.com",
        "alice@",
        "alice@example",
        "alice@@example.com",
        "al ice@example.com",
        " alice@example.com",
        "alice@example.com\n",
        "al\0ice@example.com",
        "Alice <alice@example.com>",
        '"alice smith"@example.com',
        "alice@[127.0.0.1]",
        "alice@localhost",
        "alice@exam_ple.com",
        ".alice@example.com",
        "\ud800@example.com",
    ],
)
def test_a_text_that_is_no_email_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        EmailAddress(text)
    assert refused.value.rule == "EMAIL"


def test_an_email_has_at_most_254_characters() -> None:
    domain = "@" + "b" * 60 + "." + "b" * 60 + ".example.com"
    longest = "a" * (254 - len(domain)) + domain
    assert str(EmailAddress(longest)) == longest
    with pytest.raises(InvalidValue) as refused:
        EmailAddress("a" + longest)
    assert refused.value.rule == "TOO_LONG"


@given(st.text(max_size=300) | st.builds("{}@{}".format, st.text(), st.text()))
@example("a@" + "xn--" * 60)
@example("\u0130@\u0130.com")
def test_any_text_is_an_email_or_refused_by_a_rule(text: str) -> None:
    try:
        email = EmailAddress(text)
    except InvalidValue as refused:
        assert refused.rule in {"EMAIL", "TOO_LONG"}
        assert len(refused.message) < 1_000
    else:
        assert email.text == text
        assert len(email.key) <= 762, "the length of its column"


def test_emails_are_checked_without_the_domain_name_system() -> None:
    EmailAddress("alice@example.com")
    assert "dns" not in sys.modules


@pytest.mark.parametrize("text", ["+12", "+4930123456", "+123456789012345"])
def test_a_phone_number_is_accepted_in_e164_form(text: str) -> None:
    assert str(PhoneNumber(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "+1", "4930123456", "+0123", "+1234567890123456", "+49 30 1", "+49301\n", "+٤٩٣٠", "+1a"],
)
def test_a_phone_number_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        PhoneNumber(text)
    assert refused.value.rule == "E164"


@pytest.mark.parametrize("text", ["A", "Ærøskøbing ApS", "王小明", "x" * 200])
def test_a_display_name_is_up_to_200_characters_of_any_script(text: str) -> None:
    assert str(DisplayName(text)) == text


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "TOO_SHORT"),
        ("x" * 201, "TOO_LONG"),
        ("Alice\nSmith", "UNPRINTABLE"),
        ("Alice\0", "UNPRINTABLE"),
        ("4242 4242 4242 4242", "CARD_NUMBER"),
    ],
)
def test_a_display_name_that_breaks_a_rule_is_refused(text: str, rule: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        DisplayName(text)
    assert refused.value.rule == rule


def test_the_name_of_a_customer_is_read_and_written_alike() -> None:
    assert str(CustomerName.parse(f"customers/{UUID}")) == f"customers/{UUID}"


@pytest.mark.parametrize(
    "text", ["", UUID, "customers/", f"customers/{UUID.upper()}", f"customers/{UUID}/x", "payments"]
)
def test_a_text_that_is_no_name_of_a_customer_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        CustomerName.parse(text)
    assert refused.value.rule == "RESOURCE_NAME"
