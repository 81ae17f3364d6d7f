"""Refuses every connection that would leave this machine.

`switch_on()` holds for the rest of the process: it is an audit hook, which Python never
takes off again. It needs the standard library alone, so a notebook's kernel can be
given it too.
"""

import ipaddress
import sys


class NetworkUsedError(RuntimeError):
    """Code under test reached for the network."""


def is_loopback(host: object) -> bool:
    """Tell whether a host is this machine itself."""
    if isinstance(host, bytes):
        host = host.decode()
    if host in (None, "", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        # only internet addresses are (host, port, ...): others stay on the machine
        outside = (
            isinstance(address, tuple)
            and isinstance(address[0], str)
            and not is_loopback(address[0])
        )
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        address = arguments[0]
        outside = not is_loopback(address)
    else:
        return
    if outside:
        raise NetworkUsedError(f"the network is off in tests; got {event} to {address}")


def switch_on() -> None:
    """Refuse all but loopback from now on, in this process."""
    sys.addaudithook(_refuse)
