// SPDX-License-Identifier: GPL-2.0-or-later

// The registers, selectors and structures of fw_cfg, as QEMU's docs/specs/fw_cfg gives them.

/// The ports of fw_cfg on a PC.
public enum FirmwareConfigurationPort {
  /// Selector (16 bits, write) and, one port on, data (8 bits, read).
  public static let selector: UInt16 = 0x510
  /// DMA address, 64 bits big-endian: the high half here, the low half, which starts the transfer, 4 on.
  public static let dma: UInt16 = 0x514
}

/// What a selector chooses.
public struct FirmwareSelector: RawRepresentable, Hashable, Sendable {
  public let rawValue: UInt16
  public init(rawValue: UInt16) { self.rawValue = rawValue }
  private init(_ value: UInt16) { rawValue = value }

  /// "QEMU".
  public static let signature = Self(0x00)
  /// What the device can do: bit 0 the data port, bit 1 DMA.
  public static let id = Self(0x01)
  /// 16 bytes.
  public static let uuid = Self(0x02)
  /// 64 bits, in bytes.
  public static let ramSize = Self(0x03)
  /// 16 bits: 1 if there is no display.
  public static let noGraphic = Self(0x04)
  /// 16 bits: CPUs at the start.
  public static let cpuCount = Self(0x05)
  public static let kernelAddress = Self(0x07)
  public static let kernelSize = Self(0x08)
  public static let initrdAddress = Self(0x0A)
  public static let initrdSize = Self(0x0B)
  /// 16 bits: the letter of the first boot device.
  public static let bootDevice = Self(0x0C)
  /// 64-bit words: the number of nodes, the node of each CPU, the memory of each node.
  public static let numa = Self(0x0D)
  /// 16 bits: 1 if the boot menu is to be offered.
  public static let bootMenu = Self(0x0E)
  /// 16 bits: the highest APIC ID plus one.
  public static let maximumCPUCount = Self(0x0F)
  public static let kernelEntry = Self(0x10)
  public static let kernelData = Self(0x11)
  public static let initrdData = Self(0x12)
  public static let commandLineAddress = Self(0x13)
  public static let commandLineSize = Self(0x14)
  public static let commandLineData = Self(0x15)
  public static let setupAddress = Self(0x16)
  public static let setupSize = Self(0x17)
  public static let setupData = Self(0x18)
  /// The directory of files.
  public static let fileDirectory = Self(0x19)
  /// The first file.
  public static let firstFile = Self(0x20)

  /// Items for one architecture only.
  static let architectureBit: UInt16 = 0x8000
  /// Reserved for writing through the data port, which no longer exists; ignored when selecting.
  static let writeChannelBit: UInt16 = 0x4000

  /// Tables given with the command line; always empty here.
  public static let acpiTables = Self(0x8000)
  /// SMBIOS tables in the old form; always empty here.
  public static let smbiosEntries = Self(0x8001)
  /// 32 bits: 1, as IRQ 0 arrives at pin 2 of the I/O APIC.
  public static let irq0Override = Self(0x8002)
  /// Reservations in the old form; `etc/e820` replaces it, so always empty.
  public static let e820Table = Self(0x8003)
  /// HPET blocks; the number in the first byte is 0.
  public static let hpet = Self(0x8004)
}

/// The control word of a DMA transfer.
struct FirmwareDMAControl: OptionSet {
  let rawValue: UInt32
  static let error = Self(rawValue: 0x01)
  static let read = Self(rawValue: 0x02)
  static let skip = Self(rawValue: 0x04)
  /// The upper 16 bits are a selector to be chosen first.
  static let select = Self(rawValue: 0x08)
  static let write = Self(rawValue: 0x10)
}

/// Sizes and limits.
enum FirmwareConfigurationLimit {
  /// Entries of the file directory.
  static let fileCount = 64
  /// A file name without its terminating zero.
  static let nameByteCount = 55
  /// A directory entry: size (32 bits), selector (16), reserved (16), name (56 bytes); all big-endian.
  static let directoryEntryByteCount = 64
  /// How far beyond an item's end one transfer may read zeroes; more is an error. (The limit on what one
  /// register write can cost; firmware reads a few bytes too many at most.)
  static let fillByteCount = 1 << 20
}
