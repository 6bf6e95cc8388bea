// SPDX-License-Identifier: GPL-2.0-or-later

/// A device on the ISA bus as the operating system is told of it.
public struct ISADevice: Equatable, Sendable {
  /// Four characters at most, unique below the ISA bridge: "COM1".
  public var name: String
  /// The identifier: of Plug and Play, "PNP0501", or of ACPI, "QEMU0001".
  public var plugAndPlayID: String
  /// Tells devices with the same identifier apart.
  public var uniqueID: UInt64?
  /// Its ports.
  public var ports: [(base: UInt16, count: UInt8)]
  /// Its ISA interrupt, if it has one.
  public var irq: UInt8?

  /// A device with any resources.
  public init(
    name: String, plugAndPlayID: String, uniqueID: UInt64? = nil, ports: [(base: UInt16, count: UInt8)] = [],
    irq: UInt8? = nil
  ) {
    self.name = name
    self.plugAndPlayID = plugAndPlayID
    self.uniqueID = uniqueID
    self.ports = ports
    self.irq = irq
  }

  public static func == (left: Self, right: Self) -> Bool {
    left.name == right.name && left.plugAndPlayID == right.plugAndPlayID && left.uniqueID == right.uniqueID
      && left.irq == right.irq && left.ports.elementsEqual(right.ports, by: ==)
  }

  /// The CMOS clock: ports 70h and 71h, IRQ 8.
  public static let realTimeClock = ISADevice(
    name: "RTC", plugAndPlayID: "PNP0B00", ports: [(0x70, 2)], irq: 8)
  /// The 8042 with a keyboard: ports 60h and 64h, IRQ 1.
  public static let keyboard = ISADevice(
    name: "KBD", plugAndPlayID: "PNP0303", ports: [(0x60, 1), (0x64, 1)], irq: 1)
  /// A PS/2 mouse at the 8042: IRQ 12.
  public static let mouse = ISADevice(name: "MOU", plugAndPlayID: "PNP0F13", irq: 12)

  /// A 16550A: `number` is 1 for COM1.
  public static func serialPort(_ number: Int, base: UInt16, irq: UInt8) -> ISADevice {
    ISADevice(
      name: "COM\(number % 10)", plugAndPlayID: "PNP0501", uniqueID: UInt64(clamping: number),
      ports: [(base, 8)], irq: irq)
  }
  /// QEMU's pvpanic.
  public static func panicDevice(base: UInt16) -> ISADevice {
    ISADevice(name: "PEVT", plugAndPlayID: "QEMU0001", ports: [(base, 1)])
  }

  /// A parallel port: `number` is 1 for LPT1.
  public static func parallelPort(_ number: Int, base: UInt16, irq: UInt8) -> ISADevice {
    ISADevice(
      name: "LPT\(number % 10)", plugAndPlayID: "PNP0400", uniqueID: UInt64(clamping: number),
      ports: [(base, 8)], irq: irq)
  }
}

/// What the ACPI tables say about the board: a PC with i440FX, PIIX3 and PIIX4 power management, and exactly
/// the devices listed here.
public struct PlatformDescription: Equatable, Sendable {
  /// The APIC ID of each CPU, in the order of the CPUs; at most 255, of 0 … 254.
  public var apicIDs: [UInt8]
  /// The I/O ports of PIIX4 power management, as the firmware has programmed them (configuration register
  /// 40h of the function, without bit 0); 0 if it has not.
  public var powerManagementBase: UInt16 = 0x600
  /// The general-purpose event block.
  public var generalPurposeEvents: (base: UInt16, count: UInt8) = (0xAFE0, 4)
  /// The PCI slot of the PIIX (ISA bridge function 0, power management function 3).
  public var chipsetSlot = 1
  /// The PCI slots that hold a device or can hold one, 1 … 31.
  public var pciSlots = Array(1...31)
  /// Where PCI memory below 4 GiB may be: the end of RAM to the I/O APIC.
  public var pciWindow: ClosedRange<UInt32>
  /// Where PCI memory above 4 GiB may be, if anywhere.
  public var pciWindow64: ClosedRange<UInt64>?
  /// The ISA devices.
  public var isaDevices: [ISADevice] = [.realTimeClock]
  /// Whether there is a VGA.
  public var hasVGA = true
  /// Whether there is an 8042.
  public var hasKeyboardController = true

  /// A board with these CPUs and RAM sizes, and only what every board has.
  public init(apicIDs: [UInt8], ramBelow4G: UInt64, ramAbove4G: UInt64) {
    self.apicIDs = Array(apicIDs.prefix(255))
    // At least the last 20 MiB below the I/O APIC stay for PCI, whatever RAM size is claimed.
    let start = UInt32(clamping: min(ramBelow4G, 0xFD80_0000))
    pciWindow = start...0xFEBF_FFFF
    // 2 GiB from the first GiB boundary above RAM.
    let gib: UInt64 = 1 << 30
    let start64 = (UInt64(1 << 32) + min(ramAbove4G, 1 << 46) + gib - 1) / gib * gib
    pciWindow64 = start64...(start64 + 2 * gib - 1)
  }

  public static func == (left: Self, right: Self) -> Bool {
    left.apicIDs == right.apicIDs && left.powerManagementBase == right.powerManagementBase
      && left.generalPurposeEvents == right.generalPurposeEvents && left.chipsetSlot == right.chipsetSlot
      && left.pciSlots == right.pciSlots && left.pciWindow == right.pciWindow
      && left.pciWindow64 == right.pciWindow64 && left.isaDevices == right.isaDevices
      && left.hasVGA == right.hasVGA && left.hasKeyboardController == right.hasKeyboardController
  }
}
