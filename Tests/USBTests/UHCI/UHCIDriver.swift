// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import PCI
import TestSupport
import USB

/// A driver's view of a UHCI: its ports, and a schedule of one queue head that all frames lead to.
final class UHCIDriver: ControllerDriver {
  static let base: UInt16 = 0xC000
  static let frameList: UInt32 = 0x1000
  static let queue: UInt32 = 0x3000
  static let descriptors: UInt32 = 0x4000
  static let buffers: UInt32 = 0x10000
  static let place = PCIAddress(1, 2)

  let board: TestBoard
  let controller: UHCI

  init(board: TestBoard? = nil) throws {
    let board = try board ?? TestBoard()
    self.board = board
    controller = UHCI(.piix3, name: "uhci", memory: board.memory.memory, clock: board.clock)
    board.pci.plug(controller, at: Self.place)
    controller.reset()
    board.writeConfiguration(Self.place, 0x20, UInt32(Self.base))
    board.writeConfiguration(Self.place, 0x04, 0x5)
  }

  func inw(_ offset: UInt16) -> UInt16 { board.inw(Self.base + offset) }
  func outw(_ offset: UInt16, _ value: UInt16) { board.outw(Self.base + offset, value) }

  /// One frame, or several.
  func frames(_ count: Int = 1) { milliseconds(count) }

  /// An empty schedule, all interrupts, running.
  func start() {
    for index in 0..<1024 { store(Self.queue | 2, at: Self.frameList + UInt32(index) * 4) }
    store(1, at: Self.queue)
    store(1, at: Self.queue + 4)
    board.outl(Self.base + 8, Self.frameList)
    outw(4, 0xF)
    outw(0, 0xC1)
  }

  /// Resets port 1 or 2 and enables it.
  func enablePort(_ number: UInt16) {
    let port = 0x10 + (number - 1) * 2
    outw(port, 0x200)
    frames(50)
    outw(port, 0)
    outw(port, 0xE)
  }

  /// A transfer descriptor, numbered.
  struct Packet {
    var identifier: UInt8
    var address: UInt8 = 0
    var endpoint: UInt8 = 0
    var count: Int
    var flags: UInt32 = 0
  }

  static let interrupt: UInt32 = 1 << 24
  static let shortPacket: UInt32 = 1 << 29

  func descriptor(_ index: Int) -> UInt32 { Self.descriptors + UInt32(index) * 32 }
  func buffer(_ index: Int) -> UInt32 { Self.buffers + UInt32(index) * 0x800 }
  func control(_ index: Int) -> UInt32 { load(descriptor(index) + 4) }
  func isActive(_ index: Int) -> Bool { control(index) & 1 << 23 != 0 }
  func actualLength(_ index: Int) -> Int { Int((control(index) + 1) & 0x7FF) }

  /// Puts packets into the queue, depth first.
  func enqueue(_ packets: [Packet], isDepthFirst: Bool = true) {
    for (index, packet) in packets.enumerated() {
      let next = index + 1 < packets.count ? descriptor(index + 1) | (isDepthFirst ? 4 : 0) : 1
      store(next, at: descriptor(index))
      store(3 << 27 | 1 << 23 | packet.flags, at: descriptor(index) + 4)
      let length = UInt32(truncatingIfNeeded: packet.count - 1) & 0x7FF
      let place = UInt32(packet.address) << 8 | UInt32(packet.endpoint) << 15
      store(length << 21 | place | UInt32(packet.identifier), at: descriptor(index) + 8)
      store(buffer(index), at: descriptor(index) + 12)
    }
    store(descriptor(0), at: Self.queue + 4)
  }

  static let `in`: UInt8 = 0x69
  static let out: UInt8 = 0xE1
  static let setup: UInt8 = 0x2D

  /// A control request without data, as three packets would be; waits for its end.
  func request(_ bytes: [UInt8], address: UInt8) {
    store(bytes, at: buffer(0))
    enqueue([
      Packet(identifier: Self.setup, address: address, count: 8),
      Packet(identifier: Self.in, address: address, count: 0, flags: Self.interrupt),
    ])
    frames(2)
  }

  /// Brings a device at port 1 to address 5 and its configuration.
  func configureDevice() {
    enablePort(1)
    request([0, 5, 5, 0, 0, 0, 0, 0], address: 0)
    request([0, 9, 1, 0, 0, 0, 0, 0], address: 5)
    outw(2, 0x1F)
  }
}
