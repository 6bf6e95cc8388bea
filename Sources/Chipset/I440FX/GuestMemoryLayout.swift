// SPDX-License-Identifier: GPL-2.0-or-later

/// How the guest's RAM is split around the PCI hole, as on QEMU's i440FX boards: up to 3.5 GiB lies below 4 GiB;
/// of more, 3 GiB lie below and the rest starts at 4 GiB.
public struct GuestMemoryLayout: Equatable, Sendable {
  /// Bytes from address 0.
  public let below4GiB: UInt64
  /// Bytes from address 4 GiB.
  public let above4GiB: UInt64

  /// The layout of `byteCount` bytes of RAM.
  public init(byteCount: UInt64) {
    below4GiB = byteCount >= 0xE000_0000 ? 0xC000_0000 : byteCount
    above4GiB = byteCount - below4GiB
  }
}
