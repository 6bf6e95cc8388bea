// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// Configuration mechanism #1: CONFIG_ADDRESS at port 0xCF8, CONFIG_DATA at 0xCFC (PCI 3.0, section
/// 3.2.2.3.2). Only a dword access reaches CONFIG_ADDRESS; narrower ones at 0xCF8 … 0xCFB belong to other
/// devices (0xCF9 is the reset register).
public final class PCIConfigurationMechanism: RegisterFile, Device {
  /// The windows of the mechanism.
  public enum Window {
    case address
    case data
  }

  public let deviceName = "pci-configuration"
  /// The register at 0xCF8: enable bit 31, bus 23…16, device 15…11, function 10…8, register 7…2.
  ///
  /// Bits 1 and 0 are reserved, and read as zero. QEMU takes them for the offset in the dword, and programs written
  /// against it count on that; here they are so for accesses narrower than a dword, which no program for the real thing
  /// makes after setting them.
  public private(set) var configAddress: UInt32 = 0
  private var byteOffset = 0
  /// The other bits are reserved and read as zero.
  private static let implementedBits: UInt32 = 0x80FF_FFFC
  private let bus: PCIBus
  /// What answers accesses narrower than a dword at 0xCF8 … 0xCFB, byte by byte.
  public var narrowAccess: AddressWindow?

  /// The mechanism for `bus`, not yet mapped.
  public init(bus: PCIBus) { self.bus = bus }

  /// Maps the two windows at 0xCF8 and 0xCFC.
  public func map(in ports: PortSpace) {
    ports.map(RegisterWindow(self, .address, name: "pci-conf-idx", count: 4, widest: .dword), at: 0xCF8)
    ports.map(RegisterWindow(self, .data, name: "pci-conf-data", count: 4, widest: .dword), at: 0xCFC)
  }

  public func read(_ window: Window, offset: Int, width: AccessWidth) -> UInt64 {
    switch window {
    case .address:
      if width == .dword && offset == 0 { return UInt64(configAddress) }
      guard let narrowAccess else { return width.allOnes }
      var value: UInt64 = 0
      for index in 0..<width.count {
        value |= narrowAccess.read(UInt64(offset + index), .byte) << UInt64(index * 8)
      }
      return value
    case .data:
      guard let (address, register) = target(offset, width) else { return width.allOnes }
      return UInt64(bus.readConfiguration(address, register, width))
    }
  }

  public func write(_ window: Window, offset: Int, value: UInt64, width: AccessWidth) {
    switch window {
    case .address:
      if width == .dword && offset == 0 {
        configAddress = UInt32(truncatingIfNeeded: value) & Self.implementedBits
        byteOffset = Int(value & 3)
      } else if let narrowAccess {
        for index in 0..<width.count {
          narrowAccess.write(UInt64(offset + index), value >> UInt64(index * 8) & 0xFF, .byte)
        }
      }
    case .data:
      guard let (address, register) = target(offset, width) else { return }
      bus.writeConfiguration(address, register, UInt32(truncatingIfNeeded: value), width)
    }
  }

  /// The function and register CONFIG_ADDRESS selects; nil if disabled or on a bus that is not there.
  private func target(_ offset: Int, _ width: AccessWidth) -> (PCIAddress, Int)? {
    guard configAddress >> 31 == 1, configAddress >> 16 & 0xFF == 0 else { return nil }
    let address = PCIAddress(Int(configAddress >> 11 & 31), Int(configAddress >> 8 & 7))
    // What would reach into the next dword stays where it is.
    let wanted = offset | (width == .dword ? 0 : byteOffset)
    let place = wanted + width.count <= 4 ? wanted : offset
    return (address, Int(configAddress & 0xFC) + place)
  }

  // MARK: Life

  public func reset() {
    configAddress = 0
    byteOffset = 0
  }

  /// CONFIG_ADDRESS.
  public struct State: SavedState {
    public static let version = 1
    /// With the reserved bits 1 and 0 as they were written.
    public var configAddress: UInt32
  }
  public func save() -> State { State(configAddress: configAddress | UInt32(byteOffset)) }
  public func restore(_ state: State) throws(RestoreError) {
    configAddress = state.configAddress & Self.implementedBits
    byteOffset = Int(state.configAddress & 3)
  }
}
