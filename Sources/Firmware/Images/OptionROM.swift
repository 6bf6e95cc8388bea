// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// Why an image cannot be an option ROM.
public enum OptionROMError: Error, Equatable, CustomStringConvertible, Sendable {
  /// Empty, or larger than `OptionROM.maximumByteCount`.
  case badSize(name: String, byteCount: Int)
  /// The signature 55 AA is not there.
  case noSignature(name: String)
  /// The length byte promises more than the file holds, or nothing.
  case badLength(name: String, promised: Int, byteCount: Int)
  /// The bytes do not add up to zero.
  case badChecksum(name: String)
  /// The PCI data structure is not where the header says.
  case badPCIData(name: String)
  /// No memory for it.
  case memory(RAMBlockError)

  /// A sentence for a person.
  public var description: String {
    switch self {
    case .badSize(let name, let byteCount):
      "the option ROM '\(name)' has \(byteCount) bytes; 512 bytes to \(OptionROM.maximumByteCount >> 20) MiB"
        + " are possible"
    case .noSignature(let name):
      "'\(name)' is not an option ROM: it does not begin with 55 AA"
    case .badLength(let name, let promised, let byteCount):
      "the option ROM '\(name)' says it has \(promised) bytes, but the file has \(byteCount)"
    case .badChecksum(let name):
      "the option ROM '\(name)' is damaged: its bytes do not add up to zero"
    case .badPCIData(let name):
      "the option ROM '\(name)' has no PCI data structure: it cannot be the ROM of a PCI device"
    case .memory(let error):
      "\(error)"
    }
  }
}

/// An expansion ROM (PCI Firmware Specification 3.0, chapter 5; BIOS Boot Specification 1.01, chapter 3):
/// of a PCI card behind its ROM register, or a file that SeaBIOS takes from fw_cfg.
public struct OptionROM: Sendable {
  /// The largest ROM a card may have here.
  public static let maximumByteCount = 16 << 20

  /// The file's contents; may hold several images, one after another.
  public let image: FirmwareBlob
  /// The file's name, for messages.
  public let name: String
  /// What the first image's header says about its length, in bytes.
  public let firstImageByteCount: Int

  /// Checks an image: signature, length and checksum of the first image in it.
  public init(_ image: FirmwareBlob, name: String) throws(OptionROMError) {
    firstImageByteCount = try image.withBytes { bytes throws(OptionROMError) in
      try Self.check(bytes, name: name)
    }
    self.image = image
    self.name = name
  }

  /// Finds, reads and checks an image.
  public static func load(_ name: String, files: FirmwareFiles) throws -> OptionROM {
    try OptionROM(files.load(name, limit: maximumByteCount), name: name)
  }

  /// The length of the first image in `bytes`, if that is as it should be.
  private static func check(_ bytes: UnsafeRawBufferPointer, name: String) throws(OptionROMError) -> Int {
    guard bytes.count >= 512, bytes.count <= maximumByteCount else {
      throw .badSize(name: name, byteCount: bytes.count)
    }
    guard bytes[0] == 0x55, bytes[1] == 0xAA else { throw .noSignature(name: name) }
    let pciData = pciDataOffset(bytes)
    // Images with other code types than PC-AT (EFI) give their length in the PCI data structure; the
    // checksum is only asked of PC-AT code (PCI Firmware Specification 3.0, section 5.1.2).
    let isPCAT = pciData.map { bytes[$0 + 20] == 0 } ?? true
    var promised = Int(bytes[2]) * 512
    if !isPCAT, let pciData { promised = (Int(bytes[pciData + 16]) | Int(bytes[pciData + 17]) << 8) * 512 }
    guard promised > 0, promised <= bytes.count else {
      throw .badLength(name: name, promised: promised, byteCount: bytes.count)
    }
    guard !isPCAT || bytes[..<promised].reduce(0, &+) == 0 else { throw .badChecksum(name: name) }
    return promised
  }

  /// Where the "PCIR" structure is, if there is one.
  private static func pciDataOffset(_ bytes: UnsafeRawBufferPointer) -> Int? {
    let offset = Int(bytes[0x18]) | Int(bytes[0x19]) << 8
    guard offset > 0, offset + 24 <= bytes.count else { return nil }
    return bytes[offset..<(offset + 4)].elementsEqual("PCIR".utf8) ? offset : nil
  }

  /// Whether a BIOS will take it from a PCI card: it needs the PCI data structure.
  public var hasPCIData: Bool { image.withBytes { Self.pciDataOffset($0) != nil } }

  /// How large the ROM register of a card with this ROM is: the next power of two, at least 2 KiB.
  public var registerByteCount: Int {
    var size = 2048
    while size < image.count { size <<= 1 }
    return size
  }

  /// The contents as memory for a card's ROM register, filled up with FF to ``registerByteCount`` (at
  /// least a page).
  ///
  /// With `identity` the first image is made one for that device: a ROM for many devices has no identity, and a BIOS
  /// only takes that of the card.
  public func makeROM(for identity: (vendor: UInt16, device: UInt16)? = nil) throws(OptionROMError)
    -> RAMBlock
  {
    guard let pciData = image.withBytes({ Self.pciDataOffset($0) }) else { throw .badPCIData(name: name) }
    let block: RAMBlock
    do {
      block = try RAMBlock(name: name, byteCount: max(registerByteCount, RAMBlock.pageSize))
    } catch {
      throw .memory(error)
    }
    image.withBytes { block.allBytes.copyMemory(from: $0) }
    UnsafeMutableRawBufferPointer(rebasing: block.allBytes[image.count...]).initializeMemory(
      as: UInt8.self, repeating: 0xFF)
    if let identity { Self.setIdentity(identity, at: pciData &+ 4, in: block.allBytes) }
    return block
  }

  /// Writes the two identities at `offset`, and keeps the sum of all bytes by that behind the jump at the start.
  private static func setIdentity(
    _ identity: (vendor: UInt16, device: UInt16), at offset: Int, in bytes: UnsafeMutableRawBufferPointer
  ) {
    let words = UInt32(identity.vendor) | UInt32(identity.device) << 16
    for index in 0..<4 {
      let byte = UInt8(truncatingIfNeeded: words >> UInt32(index * 8))
      bytes[6] &+= bytes[offset &+ index] &- byte
      bytes[offset &+ index] = byte
    }
  }

  /// Brings the image at the start of `bytes` into the form a BIOS accepts: the length byte, the checksum of
  /// a Plug and Play header (BIOS Boot Specification 1.01, section 3.3) if there is one, the sum of all.
  static func seal(_ bytes: inout [UInt8]) {
    guard bytes.count >= 512 else { return }
    let length = min(bytes.count / 512, 0x7F) * 512
    bytes[2] = UInt8(length / 512)
    let header = Int(bytes[0x1A]) | Int(bytes[0x1B]) << 8
    if header > 0, header + 32 <= length, bytes[header..<(header + 4)].elementsEqual("$PnP".utf8) {
      bytes[header + 9] = 0
      bytes[header + 9] = 0 &- bytes[header..<(header + 32)].reduce(0, &+)
    }
    bytes[length - 1] = 0
    bytes[length - 1] = 0 &- bytes[..<length].reduce(0, &+)
  }
}
