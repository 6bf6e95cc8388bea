// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory

/// The two 8237A DMA controllers of a PC and their page registers (Intel 8237A data sheet, 231466; PIIX3 data sheet,
/// section 2.5.1): channels 0 … 3 move bytes, 5 … 7 words, 4 is the cascade.
///
/// A transfer takes no time: a device asks its ``DMAChannel`` to move what it has.
public final class DMA8237: RegisterFile, Device {
  /// The windows: both controllers, and the page registers, of which port 0x80 is one that belongs to no channel.
  public enum Window {
    case first
    case second
    case page
  }

  /// What one channel holds.
  struct Channel: Codable, Equatable, Sendable {
    var baseAddress: UInt16 = 0
    var baseCount: UInt16 = 0
    var address: UInt16 = 0
    var count: UInt16 = 0
    var mode: UInt8 = 0
  }

  /// What one controller holds besides its channels; bit n of a mask is channel n.
  struct Controller: Codable, Equatable, Sendable {
    var command: UInt8 = 0
    /// Channels that reached terminal count since the status was read.
    var terminalCount: UInt8 = 0
    /// DREQ inputs.
    var requests: UInt8 = 0
    /// The request register.
    var softwareRequests: UInt8 = 0
    var mask: UInt8 = 0x0F
    /// The next byte of an address or count is the high one.
    var flipFlop = false
  }

  public let deviceName = "i8237"
  let memory: GuestMemory
  private let channels = UnsafeMutablePointer<Channel>.allocate(capacity: 8)
  private let controllers = UnsafeMutablePointer<Controller>.allocate(capacity: 2)
  private let pages = UnsafeMutablePointer<UInt8>.allocate(capacity: 16)
  /// Told when a channel that may have been held up can move data.
  private var waiting: [(() -> Void)?] = Array(repeating: nil, count: 8)

  /// The controllers, whose transfers go to and come from `memory`.
  public init(memory: GuestMemory) {
    self.memory = memory
    channels.initialize(repeating: Channel(), count: 8)
    controllers.initialize(repeating: Controller(), count: 2)
    pages.initialize(repeating: 0, count: 16)
  }

  deinit {
    channels.deallocate()
    controllers.deallocate()
    pages.deallocate()
  }

  /// Maps 0x00 … 0x0F, 0xC0 … 0xDF and 0x80 … 0x8F.
  public func map(in ports: PortSpace) {
    ports.map(RegisterWindow(self, .first, name: "dma1", count: 16), at: 0x00)
    ports.map(RegisterWindow(self, .second, name: "dma2", count: 32), at: 0xC0)
    // Guests write to port 0x80 for the delay it makes, and nobody minds if the byte comes late.
    ports.map(RegisterWindow(self, .page, name: "dma-page", count: 16, lateWrites: [0..<16]), at: 0x80)
  }

  /// The device's end of channel 0 … 7; nil for 4, the cascade, and for what is no channel. `onReady` is called when
  /// the guest has changed what may have held the channel up: its mask, its mode or the controller.
  public func channel(_ number: Int, onReady: (() -> Void)? = nil) -> DMAChannel? {
    guard (0..<8).contains(number), number != 4 else { return nil }
    waiting[number] = onReady
    return DMAChannel(self, number)
  }

  // MARK: Registers

  public func read(_ window: Window, offset: Int, width: AccessWidth) -> UInt64 {
    switch window {
    case .first: UInt64(read(0, offset & 15))
    case .second: UInt64(read(1, offset >> 1 & 15))
    case .page: UInt64(pages[offset & 15])
    }
  }

  public func write(_ window: Window, offset: Int, value: UInt64, width: AccessWidth) {
    let byte = UInt8(truncatingIfNeeded: value)
    switch window {
    case .first: write(0, offset & 15, byte)
    case .second: write(1, offset >> 1 & 15, byte)
    case .page: pages[offset & 15] = byte
    }
  }

  private func read(_ number: Int, _ register: Int) -> UInt8 {
    let controller = controllers + number
    switch register {
    case 0..<8:
      let channel = channels[number * 4 + register >> 1]
      let value = register & 1 == 0 ? channel.address : channel.count
      return UInt8(truncatingIfNeeded: nextByteIsHigh(controller) ? value >> 8 : value)
    case DMA8237Offset.status:
      let value = controller.pointee.terminalCount | requests(controller.pointee) << 4
      controller.pointee.terminalCount = 0
      return value
    case DMA8237Offset.allMask: return controller.pointee.mask | 0xF0
    // Temporary, of memory-to-memory transfers, which there are none of; the others are write-only.
    default: return 0
    }
  }

  private func write(_ number: Int, _ register: Int, _ value: UInt8) {
    let controller = controllers + number
    switch register {
    case 0..<8: writeChannel(number, register, value)
    case DMA8237Offset.command: controller.pointee.command = value
    case DMA8237Offset.request:
      let bit = Self.bit(value)
      if value & DMA8237Select.set != 0 {
        controller.pointee.softwareRequests |= bit
      } else {
        controller.pointee.softwareRequests &= ~bit
      }
    case DMA8237Offset.singleMask:
      let bit = Self.bit(value)
      if value & DMA8237Select.set != 0 {
        controller.pointee.mask |= bit
      } else {
        controller.pointee.mask &= ~bit
      }
    case DMA8237Offset.mode:
      channels[number * 4 + Int(value & DMA8237Select.channelMask)].mode = value & ~DMA8237Select.channelMask
    case DMA8237Offset.clearFlipFlop: controller.pointee.flipFlop = false
    case DMA8237Offset.masterClear: masterClear(controller)
    case DMA8237Offset.clearMask: controller.pointee.mask = 0
    default: controller.pointee.mask = value & 0x0F
    }
    if register >= DMA8237Offset.command { wake(number) }
  }

  private func writeChannel(_ number: Int, _ register: Int, _ value: UInt8) {
    let channel = channels + (number * 4 + register >> 1)
    let isHigh = nextByteIsHigh(controllers + number)
    func merged(_ old: UInt16) -> UInt16 {
      isHigh ? old & 0x00FF | UInt16(value) << 8 : old & 0xFF00 | UInt16(value)
    }
    // Both the base and the current register are written.
    if register & 1 == 0 {
      channel.pointee.baseAddress = merged(channel.pointee.baseAddress)
      channel.pointee.address = channel.pointee.baseAddress
    } else {
      channel.pointee.baseCount = merged(channel.pointee.baseCount)
      channel.pointee.count = channel.pointee.baseCount
    }
  }

  private static func bit(_ value: UInt8) -> UInt8 { 1 << (value & DMA8237Select.channelMask) }

  private func nextByteIsHigh(_ controller: UnsafeMutablePointer<Controller>) -> Bool {
    defer { controller.pointee.flipFlop.toggle() }
    return controller.pointee.flipFlop
  }

  private func requests(_ controller: Controller) -> UInt8 {
    controller.requests | controller.softwareRequests
  }

  /// As a hardware reset: the DREQ inputs are the devices', the channels keep their addresses and modes.
  private func masterClear(_ controller: UnsafeMutablePointer<Controller>) {
    let requests = controller.pointee.requests
    controller.pointee = Controller()
    controller.pointee.requests = requests
  }

  /// Tells the devices whose channels can go on and that wait for it.
  private func wake(_ number: Int) {
    for channel in number * 4..<number * 4 + 4 where waiting[channel] != nil {
      if controllers[number].requests >> UInt8(channel & 3) & 1 != 0 && isReady(channel) {
        waiting[channel]?()
      }
    }
  }

  // MARK: Transfers

  func setRequest(_ channel: Int, _ isRaised: Bool) {
    let bit: UInt8 = 1 << UInt8(channel & 3)
    if isRaised {
      controllers[channel >> 2].requests |= bit
    } else {
      controllers[channel >> 2].requests &= ~bit
    }
  }

  func isReady(_ channel: Int) -> Bool {
    let controller = controllers[channel >> 2]
    let bit: UInt8 = 1 << UInt8(channel & 3)
    // A request by software is served whatever the mask says.
    return controller.command & DMA8237Command.disable == 0
      && (controller.mask & bit == 0 || controller.softwareRequests & bit != 0)
      && !DMA8237Mode(rawValue: channels[channel].mode).isCascade
  }

  func remainingByteCount(_ channel: Int) -> Int { (Int(channels[channel].count) + 1) << unitShift(channel) }

  /// Channels of the second controller count words.
  private func unitShift(_ channel: Int) -> Int { channel >> 2 }

  /// Moves up to `byteCount` bytes, at most to terminal count, handing each piece that lies together in guest memory to
  /// `piece`, with its first address and its range in the device's buffer.
  func transfer(
    _ number: Int, _ direction: DMA8237Mode.Transfer, byteCount: Int,
    piece: (_ address: GuestAddress, _ range: Range<Int>) -> Void
  ) -> Int {
    guard isReady(number) else { return 0 }
    let mode = DMA8237Mode(rawValue: channels[number].mode)
    let touchesMemory = mode.transfer == direction
    // Verify counts without touching memory; a transfer of the other direction moves nothing.
    guard touchesMemory || mode.transfer == .verify else { return 0 }
    let shift = unitShift(number)
    var done = 0
    while done + 1 << shift <= byteCount {
      let address = Int(channels[number].address)
      let untilTerminal = Int(channels[number].count) + 1
      // The page register does not count: addresses wrap inside 64 KiB, or 128 KiB of words.
      let untilWrap = mode.contains(.decrement) ? 1 : 0x10000 - address
      let units = min((byteCount - done) >> shift, untilTerminal, untilWrap)
      if touchesMemory { piece(physicalAddress(number), done..<(done + units << shift)) }
      done += units << shift
      let step = UInt16(truncatingIfNeeded: units)
      if mode.contains(.decrement) {
        channels[number].address &-= step
      } else {
        channels[number].address &+= step
      }
      channels[number].count &-= step
      if units == untilTerminal {
        reachTerminalCount(number)
        break
      }
    }
    return done
  }

  private func physicalAddress(_ channel: Int) -> GuestAddress {
    let page = UInt64(pages[DMAPage.offset(ofChannel: channel)])
    let address = UInt64(channels[channel].address)
    return GuestAddress(channel < 4 ? page << 16 | address : (page & 0xFE) << 16 | address << 1)
  }

  private func reachTerminalCount(_ number: Int) {
    let controller = controllers + number >> 2
    let bit: UInt8 = 1 << UInt8(number & 3)
    controller.pointee.terminalCount |= bit
    controller.pointee.softwareRequests &= ~bit
    if DMA8237Mode(rawValue: channels[number].mode).contains(.autoInitialize) {
      channels[number].address = channels[number].baseAddress
      channels[number].count = channels[number].baseCount
    } else {
      controller.pointee.mask |= bit
    }
  }

  // MARK: Life

  public func reset() {
    channels.update(repeating: Channel(), count: 8)
    controllers.update(repeating: Controller(), count: 2)
    pages.update(repeating: 0, count: 16)
  }

  /// All registers.
  public struct State: SavedState {
    public static let version = 1
    var channels: [Channel]
    var controllers: [Controller]
    var pages: [UInt8]
  }

  public func save() -> State {
    State(
      channels: Array(UnsafeBufferPointer(start: channels, count: 8)),
      controllers: Array(UnsafeBufferPointer(start: controllers, count: 2)),
      pages: Array(UnsafeBufferPointer(start: pages, count: 16)))
  }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.channels.count == 8, state.controllers.count == 2, state.pages.count == 16 else {
      throw RestoreError("i8237: the state does not have 8 channels, 2 controllers and 16 page registers")
    }
    for (index, channel) in state.channels.enumerated() {
      channels[index] = channel
      channels[index].mode &= ~DMA8237Select.channelMask
    }
    for (index, controller) in state.controllers.enumerated() {
      controllers[index] = controller
      controllers[index].terminalCount &= 0x0F
      controllers[index].requests &= 0x0F
      controllers[index].softwareRequests &= 0x0F
      controllers[index].mask &= 0x0F
    }
    for (index, page) in state.pages.enumerated() { pages[index] = page }
  }
}
