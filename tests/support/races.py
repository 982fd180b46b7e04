"""Three races, each right when tasks run first in, first out: what schedules have to find."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

checkpoint = trio.lowlevel.checkpoint


async def lost_update() -> None:
    """Two tasks add to a balance; the second one usually begins when the first is done."""
    balance = 0

    async def add(after: int) -> None:
        nonlocal balance
        for _ in range(after):
            await checkpoint()
        before = balance
        await checkpoint()
        balance = before + 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(add, 0)
        nursery.start_soon(add, 2)
    assert balance == 2, f"two were added, and the balance is {balance}"


async def timeout_after_effect() -> None:
    """A payment has its effect one step before it is written down; a deadline may pass in between."""
    charged, written = [], []
    with trio.move_on_after(5):
        await trio.sleep(1)
        charged.append(1)
        await checkpoint()
        written.append(1)
    assert charged == written, f"charged {len(charged)} times, written down {len(written)} times"


async def starved_consumer() -> None:
    """A producer counts on the consumer to take each thing before the third one after it is there."""
    shelf: list[int] = []
    done = False

    async def produce() -> None:
        nonlocal done
        for n in range(6):
            shelf.append(n)
            assert len(shelf) <= 3, "the shelf is full: a thing has fallen down"
            await checkpoint()
        done = True

    async def consume() -> None:
        while not done:
            shelf.clear()
            await checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(produce)
        nursery.start_soon(consume)


RACES: tuple[Callable[[], Awaitable[None]], ...] = (lost_update, timeout_after_effect, starved_consumer)
