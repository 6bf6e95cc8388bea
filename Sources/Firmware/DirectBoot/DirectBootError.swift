// SPDX-License-Identifier: GPL-2.0-or-later

/// Why a kernel cannot be started directly.
public enum DirectBootError: Error, Equatable, CustomStringConvertible, Sendable {
  /// Neither a Linux bzImage nor a Multiboot 1 image.
  case unknownFormat(name: String)
  /// It ends before what its header promises.
  case truncated(name: String, what: String)
  /// A Linux kernel of a boot protocol older than 2.02, or a zImage.
  case tooOld(name: String, version: UInt16)
  /// The header contradicts itself or asks for what cannot be.
  case malformed(name: String, what: String)
  /// The kernel asks for what is not offered here.
  case unsupported(name: String, what: String)
  /// It lies, or would lie, outside the guest's RAM.
  case doesNotFit(what: String, first: UInt64, end: UInt64, ramEnd: UInt64)
  /// The command line is longer than the kernel takes.
  case commandLineTooLong(byteCount: Int, limit: Int)
  /// The host has no memory for it.
  case outOfMemory(byteCount: Int)

  /// A sentence for a person.
  public var description: String {
    switch self {
    case .unknownFormat(let name):
      "'\(name)' is not a kernel that can be started directly: Linux (bzImage) and Multiboot 1 images can"
    case .truncated(let name, let what):
      "the kernel '\(name)' is cut off: \(what)"
    case .tooOld(let name, let version):
      "the Linux kernel '\(name)' is too old to be started directly: it has boot protocol"
        + " \(version >> 8).\(version & 0xFF), or is a zImage; a bzImage with 2.02 is needed"
    case .malformed(let name, let what):
      "the kernel '\(name)' is damaged: \(what)"
    case .unsupported(let name, let what):
      "the kernel '\(name)' cannot be started directly: \(what)"
    case .doesNotFit(let what, let first, let end, let ramEnd):
      "\(what) does not fit into the guest's memory: it would be at 0x\(String(first, radix: 16)) to"
        + " 0x\(String(end, radix: 16)), but usable RAM ends at 0x\(String(ramEnd, radix: 16)): give more with -m"
    case .commandLineTooLong(let byteCount, let limit):
      "the kernel's command line has \(byteCount) bytes; this kernel takes at most \(limit)"
    case .outOfMemory(let byteCount):
      "cannot get \(byteCount) bytes of memory for the kernel"
    }
  }
}
