// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// Part of a received frame, on its way into a buffer of the guest's: the frame comes in pieces, of which some bytes were
/// stored before, and some have no room.
struct FrameStore {
  /// How many bytes are to be left out yet.
  private var skip: Int
  /// How many bytes are to be written yet.
  private var left: Int
  private var address: GuestAddress

  /// The `count` bytes of a frame from `start` on, for the buffer at `address`.
  init(from start: Int, count: Int, to address: GuestAddress) {
    (skip, left, self.address) = (start, count, address)
  }

  /// Stores what of the frame's next piece belongs into the buffer.
  mutating func put(_ bytes: UnsafeRawBufferPointer, into memory: GuestMemory) {
    guard skip < bytes.count else {
      skip &-= bytes.count
      return
    }
    let part = min(bytes.count &- skip, left)
    if part > 0 {
      memory.write(address, from: UnsafeRawBufferPointer(rebasing: bytes[skip..<(skip &+ part)]))
      address += part
      left &-= part
    }
    skip = 0
  }
}
