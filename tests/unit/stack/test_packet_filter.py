"""What `down` takes out of the machine's packet filter, and what it leaves there."""

from __future__ import annotations

from tests.stack.packet_filter import parse, undo_script

BEFORE = parse("*filter\n:INPUT ACCEPT [3:4]\n:FORWARD ACCEPT [0:0]\n-A INPUT -p tcp -j MINE\nCOMMIT\n")


def test_a_machine_without_changes_needs_no_script() -> None:
    assert undo_script(BEFORE, BEFORE) == ""


def test_counters_are_no_change() -> None:
    assert parse(":INPUT ACCEPT [9:9]") == parse(":INPUT ACCEPT [0:0]")


def test_our_jump_goes_before_our_chain() -> None:
    now = [
        *BEFORE,
        "filter :KUBE-FIREWALL -",
        "filter -A KUBE-FIREWALL -j DROP",
        "filter -A INPUT -j KUBE-FIREWALL",
    ]

    script = undo_script(BEFORE, now)

    assert script == "*filter\n-D INPUT -j KUBE-FIREWALL\n-F KUBE-FIREWALL\n-X KUBE-FIREWALL\nCOMMIT\n"


def test_what_others_added_meanwhile_stays() -> None:
    now = [*BEFORE, "nat :VPN -", "nat -A POSTROUTING -o tun0 -j MASQUERADE"]

    assert undo_script(BEFORE, now) == ""


def test_what_was_there_before_stays_though_it_bears_our_names() -> None:
    before = [*BEFORE, "nat :DOCKER -", "nat -A PREROUTING -j DOCKER"]

    assert undo_script(before, before) == ""


def test_dockers_policy_for_forwarding_is_taken_back() -> None:
    now = [line.replace("FORWARD ACCEPT", "FORWARD DROP") for line in BEFORE]

    assert undo_script(BEFORE, now) == "*filter\n-P FORWARD ACCEPT\nCOMMIT\n"


def test_each_table_is_committed_by_itself() -> None:
    now = [*BEFORE, "filter :DOCKER -", "nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE"]

    assert undo_script(BEFORE, now).count("COMMIT") == 2
