"""Join the parts of a recording where its time stamps jump, by the rules of the ffmpeg command.

Transport streams may be several recordings one after the other, each with a clock of its own. The
ffmpeg command then moves the later stamps so that the parts follow each other (the options
``dts_delta_threshold`` and ``dts_error_threshold``), and so do we:

    stamps in the file (s)   100.00 100.04 100.08  |  20.00  20.04  20.08
    joined                   100.00 100.04 100.08    100.12 100.16 100.20
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import cast

from av.container import InputContainer
from av.format import Flags
from av.packet import Packet

CLOCK_MAY_RESTART = cast(int, Flags.ts_discont.value)
JUMP_SECONDS = 10  # of formats whose clock may start again: MPEG-TS, MPEG-PS, Ogg
STEP_BACK_SECONDS = Fraction(1, 10)  # of the same formats
DAMAGE_SECONDS = 30 * 3600  # of any format
LONGEST_REORDERING = 32  # packets; codecs reorder up to 16 frames, or 32 fields
LONGEST_STEP = 2**31 - 1  # ticks; an mp4 cannot store longer ones


class StampJoiner:
    """Moves the stamps of one stream's packets so that they do not jump.

    Attributes:
        offsets: what was added to the stamps after each jump, in seconds; for each part of the
            recording but the first.
    """

    def __init__(
        self,
        container: InputContainer,
        time_base: Fraction,
        picture_offsets: Callable[[], Sequence[Fraction]] | None = None,
    ) -> None:
        """Start before the stream's first packet.

        Args:
            container: whose format says which jumps are expected.
            time_base: seconds per tick of the stream.
            picture_offsets: for a stream of sound, gives the ``offsets`` of the file's picture:
                the sound is moved as the picture is, so that they stay in step. It is called
                where the sound's stamps jump.
        """
        self.offsets: list[Fraction] = []
        is_joined = bool(container.format.flags & CLOCK_MAY_RESTART)
        longest = Fraction(JUMP_SECONDS if is_joined else DAMAGE_SECONDS)
        self._longest_step = min(int(longest / time_base), LONGEST_STEP)
        self._longest_step_back = STEP_BACK_SECONDS / time_base if is_joined else None
        self._time_base = time_base
        self._picture_offsets = picture_offsets
        self._offset = 0  # ticks
        self._last: int | None = None  # joined stamp of the packet before, in ticks
        self._step = 1  # from the packet before to the next one, in ticks
        # The latest joined stamp of the packets that are shown before a jump, in ticks.
        self._last_shown: int | None = None

    def joined(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """The packets in file order with their stamps moved; empty ones are left out."""
        # Packets from the first on that is decoded before a jump and shown after it.
        held: list[Packet] = []
        for packet in packets:
            if not packet.size:
                continue
            moved = self._take_step(packet)
            if moved or len(held) == LONGEST_REORDERING:
                yield from self._completed(held, moved)
                held = []
            if held or self._shows_next_part(packet):
                held.append(packet)
            else:
                self._last_shown = _latest(self._last_shown, packet.pts)
                yield packet
        yield from self._completed(held, self._end_in_next_part(held))

    def _end_in_next_part(self, held: Sequence[Packet]) -> int:
        """How far, in ticks, a part is moved that is too short for a jump while it is decoded."""
        after = [p.pts for p in held if p.pts is not None and self._shows_next_part(p)]
        if not after:
            return 0
        before = [p.pts for p in held if not self._shows_next_part(p)]
        last = _latest(self._last_shown, *before)
        return self._move(last or 0, min(after) - self._offset)

    def _take_step(self, packet: Packet) -> int:
        """Move the packet's stamps by its part's offset.

        Returns:
            Where a part begins with the packet, how far in ticks it is moved compared with the
            part before, else 0.
        """
        stamp, moved = packet.dts, 0
        if stamp is not None:
            if self._last is not None and self._is_jump(stamp + self._offset - self._last):
                moved = self._move(self._last, stamp)
            elif self._last is not None and stamp + self._offset > self._last:
                self._step = stamp + self._offset - self._last
            self._last = packet.dts = stamp + self._offset
        if packet.pts is not None:
            packet.pts += self._offset
        return moved

    def _shows_next_part(self, packet: Packet) -> bool:
        before = self._last_shown if packet.dts is None else packet.dts
        if packet.pts is None or before is None:
            return False
        return self._is_jump(packet.pts - before)

    def _move(self, last: int, first: int) -> int:
        """Let a part follow the joined stamp ``last``; in the file it begins at ``first``."""
        before, self._offset = self._offset, self._new_offset(last + self._step - first)
        self.offsets.append(self._offset * self._time_base)
        return self._offset - before

    def _completed(self, held: Iterable[Packet], moved: int) -> Iterator[Packet]:
        """Packets before a part's first one; some of them are shown in that part, and moved."""
        for packet in held:
            if packet.pts is not None and self._shows_next_part(packet):
                packet.pts += moved
                if self._shows_next_part(packet):
                    packet.pts = packet.dts  # its stamp alone is damaged
            yield packet

    def _is_jump(self, step: int) -> bool:
        if step > self._longest_step:
            return True
        return self._longest_step_back is not None and step < -self._longest_step_back

    def _new_offset(self, joined: int) -> int:
        """The offset of the next part; ``joined`` ticks would let it follow without a gap."""
        if self._picture_offsets is not None:
            known, seconds = [Fraction(0), *self._picture_offsets()], joined * self._time_base
            nearest = min(known, key=lambda offset: abs(offset - seconds))
            return round(nearest / self._time_base)
        # After a single damaged stamp, the packets are where they were.
        before = round(self.offsets[-2] / self._time_base) if len(self.offsets) > 1 else 0
        return before if self.offsets and abs(joined - before) <= self._step else joined


def _latest(*stamps: int | None) -> int | None:
    return max((stamp for stamp in stamps if stamp is not None), default=None)
