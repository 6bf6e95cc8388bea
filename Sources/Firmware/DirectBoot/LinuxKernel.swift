// SPDX-License-Identifier: GPL-2.0-or-later

/// A Linux kernel as a bzImage: boot sector and set-up code with the set-up header, then the protected-mode part.
///
/// Source: Linux, Documentation/arch/x86/boot.rst, "The Linux/x86 Boot Protocol".
struct LinuxKernel {
  /// Where the parts go.
  static let setupAddress: UInt32 = 0x1_0000
  static let commandLineAddress: UInt32 = 0x2_0000
  static let kernelAddress: UInt32 = 0x10_0000

  /// Offsets of the set-up header's fields in the file.
  private enum Field {
    static let setupSectorCount = 0x1F1
    static let videoMode = 0x1FA
    static let bootFlag = 0x1FE
    static let headerMagic = 0x202
    static let version = 0x206
    static let loaderType = 0x210
    static let loadFlags = 0x211
    static let initrdAddress = 0x218
    static let initrdByteCount = 0x21C
    static let heapEnd = 0x224
    static let commandLinePointer = 0x228
    static let initrdAddressMaximum = 0x22C
    static let extendedLoadFlags = 0x236
    static let commandLineByteCount = 0x238
  }

  private static let magic: UInt32 = 0x5372_6448  // "HdrS"
  /// loadflags: the protected-mode part belongs at 1 MiB; the heap end is valid.
  private static let loadedHigh: UInt8 = 0x01
  private static let canUseHeap: UInt8 = 0x80
  /// xloadflags: the initial RAM disk may lie anywhere below 4 GiB, whatever `initrd_addr_max` says.
  private static let canBeLoadedAbove4G: UInt16 = 0x02
  /// type_of_loader of QEMU, whose protocol between host and ROM this is.
  private static let loaderType: UInt8 = 0xB0
  /// The set-up code, its heap and its stack share the 64 KiB below the command line.
  private static let maximumSetupByteCount = 0xC000

  private let file: FirmwareBlob
  private let name: String
  private let version: UInt16
  private let setupByteCount: Int
  private let initrdAddressMaximum: UInt64
  private let commandLineLimit: Int

  /// Whether a file looks like one.
  static func isLinux(_ file: FirmwareBlob) -> Bool {
    file.withBytes { $0.load(Field.headerMagic) == magic && $0.load(Field.bootFlag) == UInt16(0xAA55) }
  }

  /// Checks the header of a file.
  init(_ file: FirmwareBlob, name: String) throws(DirectBootError) {
    func field<Value: FixedWidthInteger>(_ offset: Int, as type: Value.Type = Value.self) -> Value {
      file.withBytes { $0.load(offset) } ?? 0
    }
    guard Self.isLinux(file) else { throw .unknownFormat(name: name) }
    version = field(Field.version)
    let loadFlags: UInt8 = field(Field.loadFlags)
    guard version >= 0x0202, loadFlags & Self.loadedHigh != 0 else {
      throw .tooOld(name: name, version: version)
    }
    let sectorCount: UInt8 = field(Field.setupSectorCount)
    // 0 stands for 4, as in the oldest kernels.
    setupByteCount = (1 + (sectorCount == 0 ? 4 : Int(sectorCount))) * 512
    guard setupByteCount <= Self.maximumSetupByteCount else {
      throw .malformed(name: name, what: "its set-up code of \(setupByteCount) bytes is too large")
    }
    guard file.count > setupByteCount else {
      throw .truncated(name: name, what: "nothing follows its set-up code")
    }
    if version >= 0x020C, field(Field.extendedLoadFlags, as: UInt16.self) & Self.canBeLoadedAbove4G != 0 {
      initrdAddressMaximum = 0xFFFF_FFFF
    } else if version >= 0x0203 {
      initrdAddressMaximum = UInt64(field(Field.initrdAddressMaximum, as: UInt32.self))
    } else {
      initrdAddressMaximum = 0x37FF_FFFF
    }
    let limit: UInt32 = version >= 0x0206 ? field(Field.commandLineByteCount) : 255
    commandLineLimit = min(Int(limit), 0xFFFF)
    self.file = file
    self.name = name
  }

  /// The part that goes to 1 MiB.
  func protectedModePart() throws(DirectBootError) -> FirmwareBlob {
    let count = file.count - setupByteCount
    let part = FirmwareBlob(count: count) { target in
      file.withBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[setupByteCount...])) }
    }
    guard let part else { throw .outOfMemory(byteCount: count) }
    return part
  }

  /// The boot sector and set-up code with the fields a boot loader fills in, and where the initial RAM disk goes: as
  /// high as the kernel and the RAM, which ends at `ramEnd`, allow.
  func setup(initrdByteCount: Int, commandLine: String, ramEnd: UInt64) throws(DirectBootError) -> (
    bytes: [UInt8], initrdAddress: UInt32
  ) {
    let commandLineByteCount = commandLine.utf8.count
    guard commandLineByteCount <= commandLineLimit else {
      throw .commandLineTooLong(byteCount: commandLineByteCount, limit: commandLineLimit)
    }
    let kernelEnd = UInt64(Self.kernelAddress) + UInt64(file.count - setupByteCount)
    guard kernelEnd <= ramEnd else {
      throw .doesNotFit(
        what: "the kernel '\(name)'", first: UInt64(Self.kernelAddress), end: kernelEnd, ramEnd: ramEnd)
    }
    var initrdAddress: UInt64 = 0
    if initrdByteCount > 0 {
      let end = min(initrdAddressMaximum + 1, ramEnd)
      let count = UInt64(initrdByteCount)
      guard count <= end, (end - count) & ~0xFFF >= kernelEnd else {
        throw .doesNotFit(
          what: "the initial RAM disk, behind the kernel '\(name)',", first: kernelEnd,
          end: kernelEnd + count,
          ramEnd: end)
      }
      initrdAddress = (end - count) & ~0xFFF
    }

    var bytes = file.withBytes { [UInt8]($0.prefix(setupByteCount)) }
    bytes.store(Self.loaderType, at: Field.loaderType)
    bytes.store(bytes[Field.loadFlags] | Self.canUseHeap, at: Field.loadFlags)
    bytes.store(UInt16(Self.commandLineAddress - Self.setupAddress - 0x200), at: Field.heapEnd)
    bytes.store(Self.commandLineAddress, at: Field.commandLinePointer)
    bytes.store(UInt32(truncatingIfNeeded: initrdAddress), at: Field.initrdAddress)
    bytes.store(UInt32(clamping: initrdByteCount), at: Field.initrdByteCount)
    if let mode = Self.videoMode(in: commandLine) { bytes.store(mode, at: Field.videoMode) }
    return (bytes, UInt32(truncatingIfNeeded: initrdAddress))
  }

  /// What "vga=" on the command line asks for, which is the boot loader's to carry out.
  static func videoMode(in commandLine: String) -> UInt16? {
    guard let word = commandLine.split(separator: " ").last(where: { $0.hasPrefix("vga=") }) else {
      return nil
    }
    let value = word.dropFirst(4)
    switch value {
    case "normal": return 0xFFFF
    case "ext": return 0xFFFE
    case "ask": return 0xFFFD
    default: return value.hasPrefix("0x") ? UInt16(value.dropFirst(2), radix: 16) : UInt16(value)
    }
  }
}
