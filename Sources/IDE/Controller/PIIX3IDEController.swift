// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Bus
import GuestMemory
import PCI

/// The IDE controller of the PIIX3 (82371SB, function 1): two channels at the legacy ports and IRQs, with bus-master
/// DMA.
public final class PIIX3IDEController: PCIFunction, RegisterFile, Device {
  /// The windows: each channel's command block and control port, and the bus-master ports of both.
  public enum Window {
    case command(channel: Int)
    case control(channel: Int)
    case busMaster
  }

  public let deviceName = "piix3-ide"
  private let trace = TraceCategory("ide")
  public var traceCategories: [TraceCategory] { [trace] }
  private let channels: [IDEChannel]

  private static let commandPorts: [UInt16] = [0x1F0, 0x170]
  private static let controlPorts: [UInt16] = [0x3F6, 0x376]

  /// The controller. `drives` has two channels of two places each; `interrupts` are ISA IRQs 14 and 15.
  public init(memory: GuestMemory, drives: [[Drive?]], interrupts: [InterruptLine]) {
    let trace = self.trace
    channels = zip(0..., interrupts.prefix(2)).map { index, interrupt in
      let channel = IDEChannel(index: index, memory: memory, interrupt: interrupt, trace: trace)
      let places = index < drives.count ? drives[index] : []
      for (unit, drive) in places.prefix(2).enumerated() {
        if let drive { channel.attach(drive, unit: unit) }
      }
      return channel
    }
    super.init(
      name: "piix3-ide", identity: PCIIdentity(vendor: 0x8086, device: 0x7010, classCode: 0x010180))
    // Both channels are decoded from the start, as the boards' firmware expects.
    define(IDEConfiguration.timing, UInt32(0x8000_8000), writable: 0xFFFF_FFFF)
    define(IDEConfiguration.slaveTiming, UInt8(0), writable: 0xFF)
    addPortBAR(4, window: RegisterWindow(self, .busMaster, name: "piix3-bmide", count: 16))
    for channel in channels { channel.mayStartDMA = { [unowned self] in isBusMaster } }
  }

  /// Maps the legacy ports.
  public func map(in ports: PortSpace) {
    for index in channels.indices {
      ports.map(
        RegisterWindow(self, .command(channel: index), name: "ide\(index)-command", count: 8, widest: .dword),
        at: Self.commandPorts[index])
      ports.map(
        RegisterWindow(self, .control(channel: index), name: "ide\(index)-control", count: 1),
        at: Self.controlPorts[index])
    }
  }

  /// Whether the channel answers at its legacy ports: IDE Decode Enable, bit 15 of its timing register. The bus
  /// master's ports answer anyway.
  private func isDecoded(_ channel: Int) -> Bool {
    self[IDEConfiguration.timing + channel * 2 + 1, as: UInt8.self] & 0x80 != 0
  }

  public func read(_ window: Window, offset: Int, width: AccessWidth) -> UInt64 {
    switch window {
    case .command(let index):
      guard isDecoded(index) else { return width.allOnes }
      let channel = channels[index]
      if offset == CommandBlock.data || width == .byte { return channel.readCommandBlock(offset, width) }
      // Only the data register is wide.
      var value: UInt64 = 0
      for byte in 0..<width.count {
        value |= (channel.readCommandBlock(offset + byte, .byte) & 0xFF) << UInt64(byte * 8)
      }
      return value
    case .control(let index):
      return isDecoded(index) ? channels[index].readAlternateStatus() : width.allOnes
    case .busMaster: return UInt64(channels[offset >> 3 & 1].readBusMaster(offset & 7))
    }
  }

  public func write(_ window: Window, offset: Int, value: UInt64, width: AccessWidth) {
    switch window {
    case .command(let index):
      guard isDecoded(index) else { return }
      let channel = channels[index]
      if offset == CommandBlock.data || width == .byte {
        return channel.writeCommandBlock(offset, value, width)
      }
      for byte in 0..<width.count {
        channel.writeCommandBlock(offset + byte, value >> UInt64(byte * 8) & 0xFF, .byte)
      }
    case .control(let index):
      if isDecoded(index) { channels[index].writeControl(UInt8(truncatingIfNeeded: value)) }
    case .busMaster: channels[offset >> 3 & 1].writeBusMaster(offset & 7, UInt8(truncatingIfNeeded: value))
    }
  }

  // MARK: Life

  public func reset() {
    resetConfiguration()
    for channel in channels { channel.reset() }
  }

  public func run() { for channel in channels { channel.run() } }

  /// The configuration space and both channels.
  public struct State: SavedState {
    public static let version = 1
    var configuration: PCIFunction.State
    var channels: [IDEChannel.State]
  }

  public func save() -> State {
    State(configuration: saveConfiguration(), channels: channels.map { $0.save() })
  }

  public func restore(_ state: State) throws(RestoreError) {
    guard state.channels.count == channels.count else {
      throw RestoreError("piix3-ide: the state has \(state.channels.count) channels, not \(channels.count)")
    }
    try restoreConfiguration(state.configuration)
    for (channel, saved) in zip(channels, state.channels) { try channel.restore(saved) }
  }
}
