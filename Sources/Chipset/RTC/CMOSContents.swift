// SPDX-License-Identifier: GPL-2.0-or-later

/// The bytes of CMOS memory in which QEMU's boards tell SeaBIOS about the machine.
public struct CMOSContents: Sendable, Equatable {
  private enum Byte {
    static let equipment = 0x14
    static let baseMemory = 0x15
    static let extendedMemory = 0x17
    static let extendedMemoryCopy = 0x30
    /// 64 KiB units above 16 MiB.
    static let memoryAbove16MiB = 0x34
    static let bootFlags1 = 0x38
    static let bootFlags2 = 0x3D
    /// 64 KiB units above 4 GiB, three bytes.
    static let memoryAbove4GiB = 0x5B
    /// CPUs besides the first.
    static let otherCPUs = 0x5F
  }

  /// Values by index.
  public private(set) var bytes: [Int: UInt8] = [:]

  /// The contents for a machine with the given memory and CPUs. `bootOrder` has up to three of QEMU's codes: 1
  /// floppy, 2 hard disk, 3 CD-ROM, 4 network.
  public init(memory: GuestMemoryLayout, cpuCount: Int, bootOrder: [UInt8]) {
    // FPU and PS/2 mouse; no floppy.
    bytes[Byte.equipment] = 0x06
    let base = min(memory.below4GiB >> 10, 640)
    set(Byte.baseMemory, base, count: 2)
    let extended = min(memory.below4GiB > 1 << 20 ? (memory.below4GiB - (1 << 20)) >> 10 : 0, 65535)
    set(Byte.extendedMemory, extended, count: 2)
    set(Byte.extendedMemoryCopy, extended, count: 2)
    let above16 = min(memory.below4GiB > 16 << 20 ? (memory.below4GiB - (16 << 20)) >> 16 : 0, 65535)
    set(Byte.memoryAbove16MiB, above16, count: 2)
    set(Byte.memoryAbove4GiB, memory.above4GiB >> 16, count: 3)
    bytes[Byte.otherCPUs] = UInt8(clamping: cpuCount - 1)
    let order = bootOrder + [0, 0, 0]
    bytes[Byte.bootFlags2] = order[0] & 15 | order[1] << 4
    // Bit 0: the floppy's boot sector is not checked for its signature.
    bytes[Byte.bootFlags1] = order[2] << 4
  }

  private mutating func set(_ index: Int, _ value: UInt64, count: Int) {
    for byte in 0..<count { bytes[index + byte] = UInt8(truncatingIfNeeded: value >> UInt64(byte * 8)) }
  }
}
