"""The survival table: what the loss of one and of two servers does."""

from __future__ import annotations

from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_survival import (
    Topology,
    has_leader,
    has_quorum,
    quorum,
    reasons,
    survival_table,
)


def hosts(*names: str) -> frozenset[str]:
    """Return a set of hosts."""
    return frozenset(names)


APPS = hosts("app1", "app2", "app3")
DATABASES = hosts("db1", "db2")
REFERENCE = Topology(APPS, hosts("app1"), APPS | DATABASES, DATABASES, hosts("lb1"), True)


def test_quorum_is_more_than_half() -> None:
    """Five members need three, four need three as well."""
    assert [quorum(number) for number in (1, 2, 3, 4, 5)] == [1, 2, 2, 3, 3]


def test_five_members_keep_the_quorum_after_two() -> None:
    """Any two of five may go, three may not."""
    assert has_quorum(REFERENCE, hosts("app1", "db1"))
    assert not has_quorum(REFERENCE, APPS)


def test_standby_takes_over_with_the_quorum() -> None:
    """One database of two may go."""
    assert has_leader(REFERENCE, hosts("db1"))
    assert not has_leader(REFERENCE, DATABASES)


def test_leader_stays_without_the_quorum_while_all_databases_live() -> None:
    """Failsafe mode: three application servers gone, both databases alive."""
    assert has_leader(REFERENCE, APPS)


def test_loss_of_a_database_without_the_quorum_stops_the_database() -> None:
    """Three members of etcd: an application server and a database, together with one more, are too many."""
    site = Topology(APPS, APPS, hosts("app1", "db1", "db2"), DATABASES, hosts(), False)
    assert reasons(site, hosts("app1", "db1")) == ["a database without the quorum of etcd"]


def test_leader_and_synchronous_standby_are_too_many_of_three() -> None:
    """The third database is not synchronous, so nobody may promote it."""
    site = Topology(APPS, APPS, APPS | hosts("db1", "db2", "db3"), hosts("db1", "db2", "db3"), hosts(), False)
    assert reasons(site, hosts("db1", "db2")) == ["leader and synchronous standby"]


def test_reference_table_names_the_only_frontend_and_load_balancer() -> None:
    """The reference datacenter is honest about its single servers."""
    text = "\n".join(survival_table(REFERENCE))
    assert "survives the loss of any one of: app2, app3, db1, db2\n" in text
    assert "does not survive: app1 (the only frontend)" in text
    assert "does not survive: lb1 (the only load balancer)" in text
    assert "survives 5 of the 6 pairs" in text
    assert "does not survive: db1 + db2 (all databases)" in text


def test_external_load_balancer_is_no_server_of_the_inventory() -> None:
    """With a driver for an external load balancer none is missing."""
    site = Topology(APPS, APPS, APPS | DATABASES, DATABASES, hosts(), False)
    assert all(not reasons(site, hosts(host)) for host in APPS | DATABASES)


def test_three_members_tell_which_losses_stop_the_failover() -> None:
    """Two of three members gone: the leader stays, and nobody would take over from it."""
    site = Topology(APPS, APPS, APPS, DATABASES, hosts(), False)
    text = "\n".join(survival_table(site))
    assert (
        "no failover of the database (etcd without quorum) after the loss of: app1 + app2, app1 + app3, app2 + app3"
        in text
    )


def test_one_server_survives_nothing() -> None:
    """A site of one server says so."""
    one = hosts("one")
    text = "\n".join(survival_table(Topology(one, one, one, one, one, True)))
    assert "any one of: none" in text
    assert "one (the only database, the only backend, the only frontend, the only load balancer)" in text


def test_empty_site_has_a_table() -> None:
    """A broken inventory does not stop the report."""
    none = hosts()
    assert survival_table(Topology(none, none, none, none, none, True))


def test_redis_tells_how_many_members_it_may_lose() -> None:
    site = Topology(APPS, APPS, APPS, DATABASES, hosts(), False, redis=APPS)
    assert "  Redis: 3 members, quorum 2: goes on after the loss of any 1 of them" in "\n".join(survival_table(site))


def test_redis_that_is_not_ours_is_not_in_the_table() -> None:
    assert "Redis" not in "\n".join(survival_table(REFERENCE))
