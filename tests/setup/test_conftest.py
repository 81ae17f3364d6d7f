"""The ground under the other tests holds."""

import socket

import hypothesis
import jaxtyping
import network_guard
import numpy as np
import pytest


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_connecting_to_another_machine_is_refused(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.socket(family) as line,
        pytest.raises(network_guard.NetworkUsedError, match=host),
    ):
        line.connect((host, 80))


def test_asking_for_the_address_of_another_machine_is_refused():
    with pytest.raises(network_guard.NetworkUsedError, match=r"example\.org"):
        socket.getaddrinfo("example.org", 80)


def test_a_datagram_to_another_machine_is_refused():
    with (
        socket.socket(type=socket.SOCK_DGRAM) as line,
        pytest.raises(network_guard.NetworkUsedError),
    ):
        line.sendto(b"hello", ("192.0.2.1", 80))


def test_loopback_stays_open():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as line:
            line.sendall(b"hello")
        assert socket.getaddrinfo("localhost", 80)


def test_examples_are_the_same_in_each_run():
    assert hypothesis.settings().derandomize


def test_wrong_shapes_are_caught_at_run_time():
    from minitransformer.reference import attention

    q, k, v = np.ones((2, 3)), np.ones((4, 5)), np.ones((4, 5))
    with pytest.raises(jaxtyping.TypeCheckError):
        attention(q, k, v)


@pytest.mark.usefixtures("shapes_unchecked")
def test_the_packages_own_errors_can_be_reached():
    from minitransformer.reference import attention

    q, k, v = np.ones((2, 3)), np.ones((4, 5)), np.ones((4, 5))
    with pytest.raises(ValueError, match="got"):
        attention(q, k, v)
