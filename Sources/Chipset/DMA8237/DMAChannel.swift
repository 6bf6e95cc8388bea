// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// A device's end of a DMA channel: its DREQ line, and the transfers its DACK lets through.
public struct DMAChannel {
  private let controller: DMA8237
  /// 0 … 3 (bytes) or 5 … 7 (words).
  public let number: Int

  init(_ controller: DMA8237, _ number: Int) {
    self.controller = controller
    self.number = number
  }

  /// DREQ. While it is raised the device is called back when the guest lets the channel go on.
  public func setRequest(_ isRaised: Bool) { controller.setRequest(number, isRaised) }

  /// Whether the guest lets the channel move data now.
  public var isReady: Bool { controller.isReady(number) }

  /// Bytes to terminal count: 1 … 65,536, or 2 … 131,072 on a channel of words.
  public var remainingByteCount: Int { controller.remainingByteCount(number) }

  /// Moves bytes from the device to guest memory, up to terminal count.
  /// - Returns: how many were moved, a multiple of 2 on channels of words; 0 while the channel is masked, disabled
  ///   or set up for the other direction. What falls on no RAM is lost.
  public func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    controller.transfer(number, .write, byteCount: bytes.count) { address, range in
      // A decrementing channel comes here a unit at a time, so the bytes lie upwards in each.
      controller.memory.write(address, from: UnsafeRawBufferPointer(rebasing: bytes[range]))
    }
  }

  /// Moves bytes from guest memory to the device, up to terminal count.
  /// - Returns: as ``write(_:)``. What comes from no RAM is 0xFF, as from an open bus; in verify mode nothing is stored.
  public func read(into bytes: UnsafeMutableRawBufferPointer) -> Int {
    controller.transfer(number, .read, byteCount: bytes.count) { address, range in
      let part = UnsafeMutableRawBufferPointer(rebasing: bytes[range])
      guard !controller.memory.read(address, into: part) else { return }
      for index in part.indices { part[index] = 0xFF }
      controller.memory.read(address, into: part)
    }
  }
}
