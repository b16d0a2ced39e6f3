"""Which addresses may be asked, and which of them belong together."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable

import httpx

Resolve = Callable[[str, int], Awaitable[list[str]]]

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


def same_origin(url: str, other: str) -> bool:
    """Whether two URLs have scheme, host and port in common; False when either is not a URL."""
    try:
        one, two = httpx.URL(url), httpx.URL(other)
    except httpx.InvalidURL:
        return False
    return (one.scheme, one.host, one.port) == (two.scheme, two.host, two.port)


def https_host(url: str) -> str | None:
    """The host of an https URL at the port of https; None for any other URL."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        return None
    return parts.host if (parts.scheme, parts.port) == ("https", None) else None


async def system_resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, by the operating system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, judging also the IPv4 address an IPv6 one may wrap."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour
        if ip in NAT64:
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if wrapped is not None and not is_public(str(wrapped)):
            return False
        if ip.ipv4_mapped is not None:
            return True
    return ip.is_global and not ip.is_multicast
