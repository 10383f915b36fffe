"""Which addresses a request that a caller directs may go to."""

import pytest

from eunoe.domain.addresses import is_reachable, names_private

pytestmark = pytest.mark.rule("FIX-69", "X44")


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        ("8.8.8.8", True, True),
        ("2606:4700::1111", True, True),
        ("64:ff9b::808:808", True, True),
        ("127.0.0.1", False, True),
        ("::1", False, True),
        ("::7f00:1", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("::ffff:0:7f00:1", False, True),
        ("64:ff9b::a00:1", False, True),
        ("64:ff9b:1::a00:1", False, True),
        ("2002:7f00:1::1", False, True),
        ("fec0::1", False, True),
        ("100.64.0.1", False, True),
        ("169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("fe80::1%eth0", False, False),
        ("fd00:ec2::254", False, False),
        ("100.100.100.200", False, False),
        ("168.63.129.16", False, False),
        ("224.0.0.1", False, False),
        ("0.0.0.0", False, False),  # noqa: S104 -- looked at, not bound
        ("::", False, False),
    ],
)
def test_an_address_is_what_it_leads_to(address: str, public: bool, private: bool) -> None:
    assert is_reachable(address, private=False) is public
    assert is_reachable(address, private=True) is private
    assert names_private(f"[{address}]") is not public
