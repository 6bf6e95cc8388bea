// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import PCI
import TestSupport
import USB

/// A driver's view of an EHCI: an asynchronous list of a head and one queue, and a periodic list of one queue.
final class EHCIDriver: ControllerDriver {
  static let window: UInt64 = 0xE000_0000
  static let place = PCIAddress(4, 7)
  static let frameList: UInt32 = 0x1000
  static let head: UInt32 = 0x3000
  static let queue: UInt32 = 0x3080
  static let periodicQueue: UInt32 = 0x3100
  static let descriptors: UInt32 = 0x4000
  static let buffers: UInt32 = 0x100000

  let board: TestBoard
  let controller: EHCI

  init(sharedPorts: Set<Int> = []) throws {
    board = try TestBoard()
    controller = EHCI(
      .ich9First, name: "ehci", memory: board.memory.memory, clock: board.clock, sharedPorts: sharedPorts)
    board.pci.plug(controller, at: Self.place)
    controller.reset()
    board.writeConfiguration(Self.place, 0x10, UInt32(Self.window))
    board.writeConfiguration(Self.place, 0x04, 0x6)
  }

  /// An operational register.
  func read(_ offset: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: board.memory.read(GuestAddress(Self.window + 0x20 + offset), .dword))
  }
  func write(_ offset: UInt64, _ value: UInt32) {
    board.memory.write(GuestAddress(Self.window + 0x20 + offset), UInt64(value), .dword)
  }
  func capability(_ offset: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: board.memory.read(GuestAddress(Self.window + offset), .dword))
  }
  func port(_ number: UInt64) -> UInt64 { 0x40 + number * 4 }

  var isInterrupted: Bool { board.pci.isRaised(line: PCIBus.line(device: 4, pin: 4)) }

  /// A queue head with nothing to do.
  func makeQueue(
    at address: UInt32, next: UInt32, device: UInt32, endpoint: UInt32, packet: UInt32, head: Bool
  ) {
    store(next, at: address)
    store(packet << 16 | (head ? 1 << 15 : 0) | 1 << 14 | 2 << 12 | endpoint << 8 | device, at: address + 4)
    store(1 << 30 | 1, at: address + 8)
    store(0, at: address + 12)
    store(1, at: address + 16)
    store(1, at: address + 20)
    store(head ? 0x40 : 0, at: address + 24)
  }

  /// Empty schedules, all interrupts, running, all ports its own.
  func start() {
    for index in 0..<1024 { store(Self.periodicQueue | 2, at: Self.frameList + UInt32(index) * 4) }
    makeQueue(at: Self.head, next: Self.queue | 2, device: 0, endpoint: 0, packet: 64, head: true)
    makeQueue(at: Self.queue, next: Self.head | 2, device: 0, endpoint: 0, packet: 64, head: false)
    makeQueue(at: Self.periodicQueue, next: 1, device: 5, endpoint: 1, packet: 8, head: false)
    write(0x14, Self.frameList)
    write(0x18, Self.head)
    write(0x08, 0x37)
    write(0x00, 0x0008_0031)
    write(0x40, 1)
  }

  func enablePort(_ number: UInt64) {
    write(port(number), 0x1100)
    milliseconds(50)
    write(port(number), 0x1000)
  }

  struct Packet {
    var token: UInt32
    var count: Int
    var flags: UInt32 = 0
    /// Where in its page the buffer begins.
    var offset: UInt32 = 0
  }

  static let out: UInt32 = 0
  static let `in`: UInt32 = 1
  static let setup: UInt32 = 2
  static let interrupt: UInt32 = 1 << 15

  func descriptor(_ index: Int) -> UInt32 { Self.descriptors + UInt32(index) * 64 }
  func buffer(_ index: Int) -> UInt32 { Self.buffers + UInt32(index) * 0x8000 }
  func token(_ index: Int) -> UInt32 { load(descriptor(index) + 8) }
  func isActive(_ index: Int) -> Bool { token(index) & 0x80 != 0 }
  func left(_ index: Int) -> Int { Int(token(index) >> 16 & 0x7FFF) }

  /// Puts transfers into a queue; short packets go to the last one.
  func enqueue(
    _ packets: [Packet], device: UInt32, endpoint: UInt32, packet: UInt32 = 512,
    queue: UInt32 = EHCIDriver.queue
  ) {
    for (index, each) in packets.enumerated() {
      let place = descriptor(index)
      store(index + 1 < packets.count ? descriptor(index + 1) : 1, at: place)
      store(index + 1 < packets.count ? descriptor(packets.count - 1) : 1, at: place + 4)
      store(UInt32(each.count) << 16 | each.flags | 3 << 10 | each.token << 8 | 0x80, at: place + 8)
      for page in 0..<5 {
        let address = buffer(index) + UInt32(page) * 0x1000
        store(page == 0 ? address + each.offset : address, at: place + 12 + UInt32(page) * 4)
      }
    }
    let isPeriodic = queue == Self.periodicQueue
    makeQueue(
      at: queue, next: isPeriodic ? 1 : Self.head | 2, device: device, endpoint: endpoint, packet: packet,
      head: false)
    store(descriptor(0), at: queue + 16)
  }

  func request(_ bytes: [UInt8], device: UInt32) {
    store(bytes, at: buffer(0))
    enqueue(
      [Packet(token: Self.setup, count: 8), Packet(token: Self.in, count: 0, flags: Self.interrupt)],
      device: device, endpoint: 0, packet: 64)
    milliseconds(20)
  }

  func configureDevice() {
    enablePort(1)
    request([0, 5, 5, 0, 0, 0, 0, 0], device: 0)
    request([0, 9, 1, 0, 0, 0, 0, 0], device: 5)
    write(4, 0x3F)
  }
}
