// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory
import PCI
import TestSupport
import USB

/// A driver's view of an xHCI: a command ring, an event ring, and a device with its transfer rings.
final class XHCIDriver: ControllerDriver {
  static let window: UInt64 = 0xE000_0000
  static let place = PCIAddress(4, 0)
  static let contextArray: UInt32 = 0x1000
  static let commandRing: UInt32 = 0x2000
  static let eventRing: UInt32 = 0x3000
  static let eventCount = 64
  static let segmentTable: UInt32 = 0x4000
  static let input: UInt32 = 0x5000
  static let buffers: UInt32 = 0x100000

  struct Event: Equatable {
    var parameter: UInt64
    var status: UInt32
    var control: UInt32
    var type: UInt32 { control >> 10 & 63 }
    var code: UInt32 { status >> 24 }
    var length: UInt32 { status & 0xFF_FFFF }
    var slot: UInt32 { control >> 24 }
    var endpoint: UInt32 { control >> 16 & 31 }
  }

  let board: TestBoard
  let controller: XHCI
  private var commandPosition: UInt32 = 0
  private var eventPosition: UInt32 = 0
  private var eventCycle: UInt32 = 1
  private var positions: [UInt32: UInt32] = [:]

  init(_ model: XHCIModel = .generic) throws {
    board = try TestBoard()
    controller = XHCI(model, name: "xhci", memory: board.memory.memory, clock: board.clock)
    board.pci.plug(controller, at: Self.place)
    controller.reset()
    board.writeConfiguration(Self.place, 0x10, UInt32(Self.window))
    board.writeConfiguration(Self.place, 0x04, 0x6)
  }

  // MARK: Registers

  func read(_ offset: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: board.memory.read(GuestAddress(Self.window + offset), .dword))
  }
  func write(_ offset: UInt64, _ value: UInt32) {
    board.memory.write(GuestAddress(Self.window + offset), UInt64(value), .dword)
  }
  static let command: UInt64 = 0x40
  static let status: UInt64 = 0x44
  static let management: UInt64 = 0x1020
  static let eventDequeue: UInt64 = 0x1038
  /// PORTSC; super speed has 1 to 4, USB 2.0 5 to 8.
  func port(_ number: UInt64) -> UInt64 { 0x440 + (number - 1) * 16 }
  var isInterrupted: Bool { board.pci.isRaised(line: PCIBus.line(device: 4, pin: 1)) }

  // MARK: Memory

  func storeBlock(_ parameter: UInt64, _ status: UInt32, _ control: UInt32, at address: UInt32) {
    store(UInt32(truncatingIfNeeded: parameter), at: address)
    store(UInt32(truncatingIfNeeded: parameter >> 32), at: address + 4)
    store(status, at: address + 8)
    store(control, at: address + 12)
  }

  // MARK: The controller

  /// Rings, all slots, one interrupter, running.
  func start(eventCount: Int = XHCIDriver.eventCount) {
    write(0x78, 64)
    write(0x70, Self.contextArray)
    write(0x74, 0)
    write(0x58, Self.commandRing | 1)
    write(0x5C, 0)
    storeBlock(UInt64(Self.eventRing), UInt32(eventCount), 0, at: Self.segmentTable)
    write(0x1028, 1)
    write(Self.eventDequeue, Self.eventRing)
    write(0x103C, 0)
    write(0x1030, Self.segmentTable)
    write(0x1034, 0)
    write(Self.management, 2)
    write(Self.command, 5)
  }

  /// The events since the last time; they are acknowledged.
  func events(count: Int = XHCIDriver.eventCount, acknowledged: Bool = true) -> [Event] {
    var events: [Event] = []
    while events.count < 1000 {
      let place = Self.eventRing + eventPosition * 16
      let control = load(place + 12)
      guard control & 1 == eventCycle else { break }
      events.append(
        Event(
          parameter: UInt64(load(place)) | UInt64(load(place + 4)) << 32, status: load(place + 8),
          control: control))
      eventPosition += 1
      if eventPosition == UInt32(count) {
        eventPosition = 0
        eventCycle ^= 1
      }
    }
    if acknowledged {
      write(Self.status, 8)
      write(Self.management, 3)
      write(Self.eventDequeue, Self.eventRing + eventPosition * 16 | 8)
    }
    return events
  }

  /// Puts a command onto the ring.
  func enqueueCommand(_ type: UInt32, parameter: UInt64 = 0, slot: UInt32 = 0, flags: UInt32 = 0) {
    let place = Self.commandRing + commandPosition * 16
    storeBlock(parameter, 0, type << 10 | slot << 24 | flags | 1, at: place)
    commandPosition += 1
    store(0, at: Self.commandRing + commandPosition * 16 + 12)
  }

  /// Does a command.
  /// - Returns: its completion event.
  @discardableResult
  func perform(_ type: UInt32, parameter: UInt64 = 0, slot: UInt32 = 0, flags: UInt32 = 0) -> Event? {
    enqueueCommand(type, parameter: parameter, slot: slot, flags: flags)
    write(0x2000, 0)
    return events().last { $0.type == 33 || $0.type == 48 }
  }

  // MARK: A device

  static func context(_ slot: UInt32) -> UInt32 { 0x6000 + slot * 0x400 }
  static func ring(_ endpoint: UInt32) -> UInt32 { 0x2_0000 + endpoint * 0x1000 }
  func endpointState(_ slot: UInt32, _ endpoint: UInt32) -> UInt32 {
    load(Self.context(slot) + endpoint * 32) & 7
  }
  func slotState(_ slot: UInt32) -> UInt32 { load(Self.context(slot) + 12) >> 27 }

  /// Enables a slot and addresses the device there.
  func address(port: UInt32, route: UInt32 = 0, flags: UInt32 = 0) -> (slot: UInt32, code: UInt32) {
    guard let slot = perform(9)?.slot, slot > 0 else { return (0, 0) }
    store(Self.context(slot), at: Self.contextArray + slot * 8)
    return (slot, addressAgain(slot, port: port, route: route, flags: flags))
  }

  func addressAgain(_ slot: UInt32, port: UInt32, route: UInt32 = 0, flags: UInt32 = 0) -> UInt32 {
    prepareInput(add: 3)
    store(1 << 27 | 3 << 20 | route, at: Self.input + 0x20)
    store(port << 16, at: Self.input + 0x24)
    prepareEndpoint(1, type: 4, packet: 64)
    return perform(11, parameter: UInt64(Self.input), slot: slot, flags: flags)?.code ?? 0
  }

  func prepareInput(add: UInt32, drop: UInt32 = 0) {
    store([UInt8](repeating: 0, count: 33 * 32), at: Self.input)
    store(drop, at: Self.input)
    store(add, at: Self.input + 4)
  }

  func prepareEndpoint(_ index: UInt32, type: UInt32, packet: UInt32) {
    let place = Self.input + 32 + index * 32
    store(type << 3 | 3 << 1 | packet << 16, at: place + 4)
    store(Self.ring(index) | 1, at: place + 8)
    store(0, at: place + 12)
    positions[index] = 0
    store([UInt8](repeating: 0, count: 0x1000), at: Self.ring(index))
  }

  /// Blocks of a ring, in a row; the doorbell is not rung.
  func enqueue(_ endpoint: UInt32, _ parameter: UInt64, _ status: UInt32, _ control: UInt32) {
    let position = positions[endpoint] ?? 0
    storeBlock(parameter, status, control | 1, at: Self.ring(endpoint) + position * 16)
    positions[endpoint] = position + 1
  }
  func place(_ endpoint: UInt32) -> UInt64 {
    UInt64(Self.ring(endpoint)) + UInt64(positions[endpoint] ?? 0) * 16
  }
  func ringDoorbell(_ slot: UInt32, _ endpoint: UInt32) { write(0x2000 + UInt64(slot) * 4, endpoint) }

  static let normal: UInt32 = 1 << 10
  static let link: UInt32 = 6 << 10
  static let eventData: UInt32 = 7 << 10
  static let interrupt: UInt32 = 1 << 5
  static let chain: UInt32 = 1 << 4
  static let shortInterrupt: UInt32 = 1 << 2

  /// A control transfer.
  func request(_ packet: [UInt8], slot: UInt32, buffer: UInt32 = XHCIDriver.buffers) -> [Event] {
    let parameter = packet.enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << UInt64($1.offset * 8) }
    let count = UInt32(packet[6]) | UInt32(packet[7]) << 8
    let isIn = packet[0] & 0x80 != 0
    enqueue(1, parameter, 8, 2 << 10 | 1 << 6)
    if count > 0 { enqueue(1, UInt64(buffer), count, 3 << 10 | Self.shortInterrupt | (isIn ? 1 << 16 : 0)) }
    enqueue(1, 0, 0, 4 << 10 | Self.interrupt | (isIn && count > 0 ? 0 : 1 << 16))
    ringDoorbell(slot, 1)
    return events()
  }

  /// Resets the port, addresses the device, and configures it with its endpoints.
  /// - Returns: the slot, 0 if that failed.
  func configureDevice(port number: UInt32 = 5) -> UInt32 {
    write(port(UInt64(number)), 1 << 4 | 1 << 9)
    write(port(UInt64(number)), 0x00FE_0200)
    let (slot, code) = address(port: number)
    guard code == 1 else { return 0 }
    prepareInput(add: 1 | 0xF8)
    store(7 << 27, at: Self.input + 0x20)
    prepareEndpoint(3, type: 7, packet: 8)
    prepareEndpoint(4, type: 2, packet: 512)
    prepareEndpoint(5, type: 6, packet: 512)
    prepareEndpoint(6, type: 2, packet: 512)
    prepareEndpoint(7, type: 6, packet: 512)
    guard perform(12, parameter: UInt64(Self.input), slot: slot)?.code == 1 else { return 0 }
    // SET_ADDRESS was the controller's; SET_CONFIGURATION is the driver's.
    return request([0, 9, 1, 0, 0, 0, 0, 0], slot: slot).last?.code == 1 ? slot : 0
  }
}
