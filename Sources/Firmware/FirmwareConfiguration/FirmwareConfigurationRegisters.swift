// SPDX-License-Identifier: GPL-2.0-or-later

/// Ports and selectors of the firmware configuration device (QEMU's docs/specs/fw_cfg).
public enum FirmwareConfigurationItem {
  public static let signature: UInt16 = 0x00
  public static let identifier: UInt16 = 0x01
  public static let uuid: UInt16 = 0x02
  public static let ramSize: UInt16 = 0x03
  public static let noGraphic: UInt16 = 0x04
  public static let cpuCount: UInt16 = 0x05
  public static let kernelAddress: UInt16 = 0x07
  public static let kernelSize: UInt16 = 0x08
  public static let initrdAddress: UInt16 = 0x0A
  public static let initrdSize: UInt16 = 0x0B
  public static let bootDevice: UInt16 = 0x0C
  public static let numa: UInt16 = 0x0D
  public static let bootMenu: UInt16 = 0x0E
  public static let maximumCPUCount: UInt16 = 0x0F
  public static let kernelEntry: UInt16 = 0x10
  public static let kernelData: UInt16 = 0x11
  public static let initrdData: UInt16 = 0x12
  public static let commandLineAddress: UInt16 = 0x13
  public static let commandLineSize: UInt16 = 0x14
  public static let commandLineData: UInt16 = 0x15
  public static let setupAddress: UInt16 = 0x16
  public static let setupSize: UInt16 = 0x17
  public static let setupData: UInt16 = 0x18
  public static let fileDirectory: UInt16 = 0x19
  /// The first file.
  public static let firstFile: UInt16 = 0x20
  /// Items of the architecture.
  public static let irq0Override: UInt16 = 0x8002
  public static let e820: UInt16 = 0x8003
}

/// The I/O ports.
enum FirmwareConfigurationPort {
  static let selector: UInt16 = 0x510
  static let dma: UInt16 = 0x514
}

/// The control word of a DMA command.
struct FirmwareConfigurationDMAControl: OptionSet {
  let rawValue: UInt32
  static let error = Self(rawValue: 1 << 0)
  static let read = Self(rawValue: 1 << 1)
  static let skip = Self(rawValue: 1 << 2)
  static let select = Self(rawValue: 1 << 3)
  static let write = Self(rawValue: 1 << 4)
}
