// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// Why a firmware file, a kernel or another file handed to the guest could not be had.
public enum FirmwareFileError: Error, Equatable, CustomStringConvertible, Sendable {
  /// No file of this name in any of the directories; `package` is the Debian package that has it, if known.
  case notFound(name: String, searched: [String], package: String?)
  /// The host refused; `code` is the `errno`.
  case host(path: String, what: String, code: Int32)
  /// Larger than the limit for such a file.
  case tooLarge(path: String, byteCount: Int, limit: Int)
  /// A directory, a device, or nothing at all in the file.
  case notUsable(path: String, reason: String)

  /// A sentence for a person.
  public var description: String {
    switch self {
    case .notFound(let name, let searched, let package):
      "cannot find the firmware file '\(name)' in \(searched.joined(separator: ", "))"
        + (package.map { ": install the package '\($0)' or name a directory with -L" }
          ?? ": name its directory with -L")
    case .host(let path, let what, let code):
      "cannot \(what) '\(path)': \(String(cString: strerror(code)))"
    case .tooLarge(let path, let byteCount, let limit):
      "'\(path)' has \(byteCount) bytes; at most \(limit) are possible here"
    case .notUsable(let path, let reason):
      "'\(path)' cannot be used: \(reason)"
    }
  }
}

/// Finds and reads firmware images. Used while the machine is being built, never while it runs.
public struct FirmwareFiles: Sendable {
  /// Where Debian's packages put the images a PC needs.
  public static let systemDirectories = [
    "/usr/share/seabios", "/usr/share/qemu", "/usr/lib/ipxe/qemu", "/usr/share/vgabios", "/usr/share/ovmf",
  ]

  /// The directories that are searched, in this order.
  public let directories: [String]

  /// Searches the directories named with `-L`, then the system's.
  public init(directories: [String] = [], systemDirectories: [String] = Self.systemDirectories) {
    self.directories = directories + systemDirectories
  }

  /// The path of the image `name`. A name that holds a slash, or is a file in the working directory, is
  /// taken as it is, as `-bios FILE` is meant.
  public func find(_ name: String) throws(FirmwareFileError) -> String {
    if name.contains("/") || access(name, R_OK) == 0 { return name }
    for directory in directories {
      let path = directory.hasSuffix("/") ? directory + name : directory + "/" + name
      if access(path, F_OK) == 0 { return path }
    }
    throw .notFound(name: name, searched: directories, package: Self.debianPackage(of: name))
  }

  /// Finds and reads the image `name` of at most `limit` bytes.
  public func load(_ name: String, limit: Int = 16 << 20) throws(FirmwareFileError) -> FirmwareBlob {
    try Self.read(find(name), limit: limit)
  }

  /// The Debian package that ships an image, as far as the name tells.
  static func debianPackage(of name: String) -> String? {
    if name.hasPrefix("bios") || name.hasPrefix("vgabios") { return "seabios" }
    if name.hasPrefix("pxe-") || name.hasPrefix("efi-") { return "ipxe-qemu" }
    if name.hasPrefix("OVMF") { return "ovmf" }
    return nil
  }

  /// Reads a whole file of at least one and at most `limit` bytes.
  public static func read(_ path: String, limit: Int) throws(FirmwareFileError) -> FirmwareBlob {
    let file = try FirmwareFile(path, limit: limit)
    var failure: FirmwareFileError?
    let blob = FirmwareBlob(count: file.byteCount) { buffer in
      do throws(FirmwareFileError) { try file.read(into: buffer) } catch { failure = error }
    }
    if let failure { throw failure }
    guard let blob else { throw .host(path: path, what: "get memory for", code: ENOMEM) }
    return blob
  }
}
