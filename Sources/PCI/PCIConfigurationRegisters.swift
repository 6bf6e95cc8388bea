// SPDX-License-Identifier: GPL-2.0-or-later

/// Offsets in the configuration header, type 0 (PCI Local Bus Specification 3.0, section 6.1, figure 6-1).
public enum PCIConfigurationOffset {
  public static let vendorID = 0x00
  public static let deviceID = 0x02
  public static let command = 0x04
  public static let status = 0x06
  public static let revisionID = 0x08
  public static let programmingInterface = 0x09
  public static let subclass = 0x0A
  public static let baseClass = 0x0B
  public static let cacheLineSize = 0x0C
  public static let latencyTimer = 0x0D
  public static let headerType = 0x0E
  public static let baseAddress0 = 0x10
  public static let subsystemVendorID = 0x2C
  public static let subsystemID = 0x2E
  public static let expansionROM = 0x30
  public static let capabilitiesPointer = 0x34
  public static let interruptLine = 0x3C
  public static let interruptPin = 0x3D
}

/// The command register (PCI 3.0, section 6.2.2).
public struct PCICommand: OptionSet, Sendable {
  public let rawValue: UInt16
  public init(rawValue: UInt16) { self.rawValue = rawValue }
  /// Answers to I/O ports.
  public static let ioSpace = PCICommand(rawValue: 1 << 0)
  /// Answers to memory addresses.
  public static let memorySpace = PCICommand(rawValue: 1 << 1)
  /// May start DMA.
  public static let busMaster = PCICommand(rawValue: 1 << 2)
  /// Watches special cycles.
  public static let specialCycles = PCICommand(rawValue: 1 << 3)
  /// Does not raise INTx.
  public static let interruptDisable = PCICommand(rawValue: 1 << 10)
  /// SERR# enable.
  public static let systemErrorEnable = PCICommand(rawValue: 1 << 8)
}

/// The status register (PCI 3.0, section 6.2.3).
public struct PCIStatus: OptionSet, Sendable {
  public let rawValue: UInt16
  public init(rawValue: UInt16) { self.rawValue = rawValue }
  /// INTx is asserted by the function, whether or not it is let through.
  public static let interrupt = PCIStatus(rawValue: 1 << 3)
  /// There is a capabilities list.
  public static let capabilities = PCIStatus(rawValue: 1 << 4)
  /// Fast back-to-back capable.
  public static let fastBackToBack = PCIStatus(rawValue: 1 << 7)
  /// DEVSEL# timing medium.
  public static let devselMedium = PCIStatus(rawValue: 1 << 9)
  /// A master's transaction was aborted by nobody answering.
  public static let receivedMasterAbort = PCIStatus(rawValue: 1 << 13)
}

/// What a function is: the read-only identification part of the header.
public struct PCIIdentity: Sendable, Equatable {
  /// Vendor ID, from the PCI SIG's list.
  public var vendor: UInt16
  /// Device ID, the vendor's.
  public var device: UInt16
  /// Revision.
  public var revision: UInt8
  /// Base class, subclass and programming interface as 0xBBSSPP (PCI 3.0, appendix D).
  public var classCode: UInt32
  /// Subsystem vendor ID.
  public var subsystemVendor: UInt16
  /// Subsystem ID.
  public var subsystem: UInt16

  /// An identity; the subsystem is QEMU's (1af4:1100), which drivers know, unless another is given.
  public init(
    vendor: UInt16, device: UInt16, revision: UInt8 = 0, classCode: UInt32, subsystemVendor: UInt16 = 0x1AF4,
    subsystem: UInt16 = 0x1100
  ) {
    self.vendor = vendor
    self.device = device
    self.revision = revision
    self.classCode = classCode
    self.subsystemVendor = subsystemVendor
    self.subsystem = subsystem
  }
}

/// Where a function sits: bus 0, a device number and a function number.
public struct PCIAddress: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// 0 … 31.
  public let device: Int
  /// 0 … 7.
  public let function: Int
  /// The address `device.function`.
  public init(_ device: Int, _ function: Int = 0) {
    self.device = device & 31
    self.function = function & 7
  }
  public static func < (left: Self, right: Self) -> Bool {
    (left.device, left.function) < (right.device, right.function)
  }
  /// As `lspci` writes it: "00:01.1".
  public var description: String {
    let digits = String(device, radix: 16)
    return "00:\(digits.count < 2 ? "0" : "")\(digits).\(function)"
  }
}
