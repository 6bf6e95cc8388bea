// SPDX-License-Identifier: GPL-2.0-or-later

/// A kernel made ready for being started by an option ROM of ours, which reads the items here from fw_cfg, puts
/// them where they say, and jumps. The BIOS has run by then, and its services stay.
public struct DirectBoot: Sendable {
  /// The items the option ROM reads.
  public private(set) var items: [(selector: FirmwareSelector, contents: FirmwareBlob)] = []
  /// The option ROM that starts this kind of kernel.
  public let rom: OptionROM

  /// The line for `bootorder` by which the BIOS boots the kernel before all else.
  public var bootPath: String { FirmwarePath.rom("genroms/\(rom.name)") }

  /// The largest kernel file that is read.
  public static let maximumKernelByteCount = 1 << 30

  /// Where usable RAM ends: below the tables that the BIOS puts at the end of RAM below 4 GiB (SeaBIOS takes up to
  /// 256 KiB).
  static func usableEnd(ramBelow4G: UInt64) -> UInt64 { ramBelow4G - min(ramBelow4G, 256 << 10) }

  /// Reads `-kernel`, `-initrd` and `-append`. For a Multiboot kernel `initrd` lists modules with arguments:
  /// "file1 arguments,file2"; a comma that belongs to a name is doubled.
  public init(kernel path: String, initrd: String?, commandLine: String?, ramBelow4G: UInt64) throws {
    let kernel = try FirmwareFiles.read(path, limit: Self.maximumKernelByteCount)
    let limit = Int(clamping: ramBelow4G)
    let commandLine = commandLine ?? ""
    if LinuxKernel.isLinux(kernel) {
      let ramDisk = try initrd.map { path throws(FirmwareFileError) in
        try FirmwareFiles.read(path, limit: limit)
      }
      try self.init(
        linux: kernel, name: path, initrd: ramDisk, commandLine: commandLine, ramBelow4G: ramBelow4G)
      return
    }
    let modules = try (initrd.map(Self.moduleLines) ?? []).map { line in
      let file = line.split(separator: " ", maxSplits: 1).first.map(String.init) ?? line
      return MultibootModule(commandLine: line, contents: try FirmwareFiles.read(file, limit: limit))
    }
    try self.init(
      multiboot: kernel, name: path, modules: modules, commandLine: commandLine, ramBelow4G: ramBelow4G)
  }

  /// A Linux kernel from memory.
  public init(
    linux kernel: FirmwareBlob, name: String, initrd: FirmwareBlob?, commandLine: String, ramBelow4G: UInt64
  ) throws {
    let linux = try LinuxKernel(kernel, name: name)
    let end = Self.usableEnd(ramBelow4G: ramBelow4G)
    let setup = try linux.setup(initrdByteCount: initrd?.count ?? 0, commandLine: commandLine, ramEnd: end)
    rom = try Self.rom(DirectBootROMs.linux, name: "direct-boot-linux.bin")
    add(.setupAddress, LinuxKernel.setupAddress)
    add(.setupSize, .setupData, FirmwareBlob(setup.bytes))
    add(.commandLineAddress, LinuxKernel.commandLineAddress)
    add(.commandLineSize, .commandLineData, FirmwareBlob(Array(commandLine.utf8) + [0]))
    add(.kernelAddress, LinuxKernel.kernelAddress)
    add(.kernelSize, .kernelData, try linux.protectedModePart())
    add(.initrdAddress, setup.initrdAddress)
    add(.initrdSize, .initrdData, initrd ?? FirmwareBlob([]))
  }

  /// A Multiboot kernel from memory.
  public init(
    multiboot kernel: FirmwareBlob, name: String, modules: [MultibootModule], commandLine: String,
    ramBelow4G: UInt64
  ) throws {
    let end = Self.usableEnd(ramBelow4G: ramBelow4G)
    let image = try MultibootImage(kernel, name: name, ramEnd: end)
    let line = commandLine.isEmpty ? name : "\(name) \(commandLine)"
    let memory = try MultibootMemory(image, modules: modules, commandLine: line, ramEnd: end)
    rom = try Self.rom(DirectBootROMs.multiboot, name: "direct-boot-multiboot.bin")
    add(.kernelAddress, image.base)
    add(.kernelEntry, image.entry)
    add(.kernelSize, .kernelData, memory.contents)
    add(.initrdAddress, MultibootMemory.informationAddress)
    add(.initrdSize, .initrdData, FirmwareBlob(memory.information))
  }

  private mutating func add(_ selector: FirmwareSelector, _ value: UInt32) {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: value)
    items.append((selector, FirmwareBlob(bytes)))
  }

  private mutating func add(_ size: FirmwareSelector, _ data: FirmwareSelector, _ contents: FirmwareBlob) {
    add(size, UInt32(clamping: contents.count))
    items.append((data, contents))
  }

  private static func rom(_ assembled: [UInt8], name: String) throws(OptionROMError) -> OptionROM {
    var bytes = assembled
    OptionROM.seal(&bytes)
    return try OptionROM(FirmwareBlob(bytes), name: name)
  }

  /// What `-initrd` lists for Multiboot: parts between single commas, with doubled ones made single.
  static func moduleLines(_ text: String) -> [String] {
    var lines = [""]
    var characters = text.makeIterator()
    var next = characters.next()
    while let character = next {
      next = characters.next()
      if character != "," {
        lines[lines.count - 1].append(character)
      } else if next == "," {
        lines[lines.count - 1].append(",")
        next = characters.next()
      } else {
        lines.append("")
      }
    }
    return lines.filter { !$0.isEmpty }
  }
}

extension FirmwareConfigurationDevice {
  /// Adds a kernel and the option ROM that starts it. Put ``DirectBoot/bootPath`` first in `bootorder`.
  public func add(_ kernel: DirectBoot) throws(FirmwareConfigurationError) {
    for (selector, contents) in kernel.items { set(selector, contents) }
    try addFile("genroms/\(kernel.rom.name)", kernel.rom.image)
  }
}
