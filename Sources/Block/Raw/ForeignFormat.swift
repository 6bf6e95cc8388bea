// SPDX-License-Identifier: GPL-2.0-or-later

/// A file format that is not a raw disk image, told by its first bytes.
///
/// It is looked for only to refuse with a useful sentence: an image is never interpreted as anything else than
/// raw, so a guest gains nothing by writing such a header to its disk.
public enum ForeignFormat: String, Sendable, CaseIterable {
  case qcow2
  case vmdk
  case vdi
  case vhdx
  case vpc
  case qed
  case parallels
  case gzip
  case xz
  case zstd
  case bzip2

  /// The number of bytes from the file's start that ``probe(_:)`` wants to see.
  static let probeByteCount = 512

  /// Where the signature stands, and its alternatives.
  private var signature: (offset: Int, alternatives: [[UInt8]]) {
    switch self {
    case .qcow2: (0, [[0x51, 0x46, 0x49, 0xFB]])
    case .vmdk: (0, [Array("KDMV".utf8), Array("# Disk Descriptor".utf8)])
    case .vdi: (0x40, [[0x7F, 0x10, 0xDA, 0xBE]])
    case .vhdx: (0, [Array("vhdxfile".utf8)])
    case .vpc: (0, [Array("conectix".utf8)])
    case .qed: (0, [[0x51, 0x45, 0x44, 0x00]])
    case .parallels: (0, [Array("WithoutFreeSpace".utf8), Array("WithouFreSpacExt".utf8)])
    case .gzip: (0, [[0x1F, 0x8B, 0x08]])
    case .xz: (0, [[0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]])
    case .zstd: (0, [[0x28, 0xB5, 0x2F, 0xFD]])
    case .bzip2: (0, [Array("BZh".utf8)])
    }
  }

  /// The format whose signature `header`, the first bytes of a file, carries.
  static func probe(_ header: UnsafeRawBufferPointer) -> ForeignFormat? {
    allCases.first { format in
      let (offset, alternatives) = format.signature
      return alternatives.contains { header.dropFirst(offset).starts(with: $0) }
    }
  }

  private var isCompression: Bool {
    switch self {
    case .gzip, .xz, .zstd, .bzip2: true
    default: false
    }
  }

  /// What the file is, with an article: "a qcow2 image".
  var phrase: String {
    isCompression ? "a file compressed with \(rawValue)" : "a \(rawValue) image"
  }

  /// What to do about it.
  func advice(path: String) -> String {
    isCompression
      ? "decompress it first ('\(rawValue) -d')"
      : "convert it with 'qemu-img convert -O raw \(path) \(path).raw'"
  }
}
