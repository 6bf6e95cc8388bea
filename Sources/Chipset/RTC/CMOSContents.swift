// SPDX-License-Identifier: GPL-2.0-or-later

/// The bytes of CMOS memory in which QEMU's boards tell SeaBIOS about the machine.
public struct CMOSContents: Sendable, Equatable {
  private enum Byte {
    /// The types of the disks of the first channel, a nibble each: 15 is "see below".
    static let diskTypes = 0x12
    static let equipment = 0x14
    static let baseMemory = 0x15
    static let extendedMemory = 0x17
    /// The extended types of disks 0 and 1.
    static let extendedDiskTypes = 0x19
    /// The geometries of disks 0 and 1, nine bytes each.
    static let diskGeometries = 0x1B
    static let extendedMemoryCopy = 0x30
    /// 64 KiB units above 16 MiB.
    static let memoryAbove16MiB = 0x34
    /// Bits 7…4 the third boot device; bit 0 turns the check of a floppy's signature off.
    static let bootFlags1 = 0x38
    /// How disks 0 … 3 translate their geometry for INT 13h, two bits each.
    static let diskTranslations = 0x39
    /// The first and second boot device.
    static let bootFlags2 = 0x3D
    /// 64 KiB units above 4 GiB, three bytes.
    static let memoryAbove4GiB = 0x5B
    /// CPUs besides the first.
    static let otherCPUs = 0x5F
  }

  /// An FPU and a PS/2 mouse; no floppy drive.
  private static let equipment: UInt8 = 0x06
  /// The disk type for a geometry given in bytes.
  private static let userDefinedDisk: UInt8 = 47
  /// Translation by logical block addressing.
  private static let logicalBlocks: UInt8 = 1

  /// Values by index.
  public private(set) var bytes: [Int: UInt8] = [:]

  /// Just the bytes that tell what to boot from: up to three of QEMU's codes, 1 floppy, 2 hard disk, 3 CD, 4
  /// network.
  /// - Parameter checksFloppySignature: whether only a floppy with a boot signature is booted from.
  public init(bootOrder: [UInt8], checksFloppySignature: Bool = true) {
    let order = bootOrder.prefix(3) + [0, 0, 0]
    bytes[Byte.bootFlags2] = order[0] & 15 | order[1] << 4
    bytes[Byte.bootFlags1] = order[2] << 4 | (checksFloppySignature ? 0 : 1)
  }

  /// The contents for a machine with the given memory and CPUs, and what it boots from.
  public init(
    memory: GuestMemoryLayout, cpuCount: Int, bootOrder: [UInt8], checksFloppySignature: Bool = true
  ) {
    self.init(bootOrder: bootOrder, checksFloppySignature: checksFloppySignature)
    bytes[Byte.equipment] = Self.equipment
    set(Byte.baseMemory, min(memory.below4GiB >> 10, 640), count: 2)
    let extended = min(memory.below4GiB > 1 << 20 ? (memory.below4GiB - (1 << 20)) >> 10 : 0, 65535)
    set(Byte.extendedMemory, extended, count: 2)
    set(Byte.extendedMemoryCopy, extended, count: 2)
    let above16 = min(memory.below4GiB > 16 << 20 ? (memory.below4GiB - (16 << 20)) >> 16 : 0, 65535)
    set(Byte.memoryAbove16MiB, above16, count: 2)
    set(Byte.memoryAbove4GiB, min(memory.above4GiB >> 16, 0xFF_FFFF), count: 3)
    bytes[Byte.otherCPUs] = UInt8(clamping: cpuCount - 1)
  }

  /// Describes a hard disk on the IDE channels: `index` is 0 … 3, primary master to secondary slave. Without it
  /// the firmware shows DOS no more than the first 504 MiB of a disk.
  public mutating func addDisk(_ index: Int, cylinders: Int, heads: Int, sectors: Int) {
    guard (0...3).contains(index) else { return }
    if cylinders > 1024 || heads > 16 || sectors > 63 {
      bytes[Byte.diskTranslations, default: 0] |= Self.logicalBlocks << UInt8(index * 2)
    }
    guard index < 2 else { return }
    bytes[Byte.diskTypes, default: 0] |= index == 0 ? 0xF0 : 0x0F
    bytes[Byte.extendedDiskTypes + index] = Self.userDefinedDisk
    let geometry = Byte.diskGeometries + index * 9
    set(geometry, UInt64(clamping: cylinders), count: 2)
    bytes[geometry + 2] = UInt8(truncatingIfNeeded: heads)
    // No write precompensation; bit 3 of the control byte: more than eight heads.
    set(geometry + 3, 0xFFFF, count: 2)
    bytes[geometry + 5] = 0xC0 | (heads > 8 ? 8 : 0)
    set(geometry + 6, UInt64(clamping: cylinders), count: 2)
    bytes[geometry + 8] = UInt8(truncatingIfNeeded: sectors)
  }

  private mutating func set(_ index: Int, _ value: UInt64, count: Int) {
    for byte in 0..<count { bytes[index + byte] = UInt8(truncatingIfNeeded: value >> UInt64(byte * 8)) }
  }
}
