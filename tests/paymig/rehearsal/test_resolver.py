"""Clients keep what they resolved as long as they may, and some longer."""

from random import Random

from paymig.rehearsal.load.resolver import Resolvers


def resolvers(clients=1000, overstaying=0.0):
    return Resolvers(clients, 10.0, overstaying, 5.0, Random(7))


def ask(resolvers, now, clients=1000):
    return sum(resolvers.resolve(client, now) == "new" for client in range(clients))


def test_traffic_follows_the_weights_in_proportion():
    some = resolvers()
    some.publish(90, 10)
    assert 60 <= ask(some, 0.0) <= 140
    some.publish(0, 0)  # Route 53 splits a pair of zeros evenly
    assert 400 <= ask(some, 100.0) <= 600


def test_an_answer_is_kept_for_the_ttl_and_no_longer():
    some = resolvers()
    assert ask(some, 0.0) == 0
    some.publish(0, 100)
    early, half, late = ask(some, 0.0), ask(some, 5.0), ask(some, 10.0)
    assert early == 0
    assert 400 <= half <= 600
    assert late == 1000


def test_some_overstay_and_do_not_even_ask_after_a_failure():
    some = resolvers(overstaying=0.1)
    ask(some, 0.0)
    some.publish(0, 100)
    for client in range(1000):
        some.failed(client)
    assert ask(some, 0.1) >= 900
    assert ask(some, 0.1) < 950
    assert ask(some, 51.0) == 1000
