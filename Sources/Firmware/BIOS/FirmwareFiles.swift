// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// A firmware file that cannot be used.
public struct FirmwareError: Error, Equatable, CustomStringConvertible, Sendable {
  /// What is wrong and what to do about it.
  public let description: String
  /// An error with that sentence.
  public init(_ description: String) { self.description = description }
}

/// Finds and reads firmware images.
public struct FirmwareFiles: Sendable {
  /// Where Debian's packages put them.
  private static let usualDirectories = ["/usr/share/seabios", "/usr/share/qemu", "/usr/lib/ipxe/qemu"]
  private let directories: [String]

  /// Looks in `directories` (`-L`) before the usual places.
  public init(directories: [String] = []) { self.directories = directories + Self.usualDirectories }

  /// The path of `name`: itself if it is a path that exists, else the first found in the directories.
  public func find(_ name: String) -> String? {
    if access(name, R_OK) == 0 && name.contains("/") { return name }
    let candidates = directories.map { "\($0)/\(name)" } + [name]
    return candidates.first { access($0, R_OK) == 0 }
  }

  /// The contents of `name`, at most `limit` bytes. `package` is what to install if it is not there.
  public func read(_ name: String, limit: Int, package: String? = nil) throws(FirmwareError) -> [UInt8] {
    guard let path = find(name) else {
      let advice = package.map { "; install the package '\($0)', or say where it is with -L" } ?? ""
      throw FirmwareError("there is no firmware file '\(name)'\(advice)")
    }
    return try Self.contents(of: path, limit: limit)
  }

  /// The contents of the file at `path`, at most `limit` bytes.
  public static func contents(of path: String, limit: Int) throws(FirmwareError) -> [UInt8] {
    func failure() -> FirmwareError {
      FirmwareError("cannot read \(path): \(String(cString: strerror(errno)))")
    }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure() }
    defer { close(descriptor) }
    var information = stat()
    guard fstat(descriptor, &information) == 0 else { throw failure() }
    guard information.st_mode & S_IFMT == S_IFREG else { throw FirmwareError("\(path) is not a file") }
    let size = Int(information.st_size)
    guard size <= limit else {
      throw FirmwareError("\(path) is too large: \(size) bytes, where at most \(limit) make sense")
    }
    var isComplete = true
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      while count < size {
        let part = Glibc.read(descriptor, buffer.baseAddress.map { $0 + count }, size - count)
        if part < 0 && errno == EINTR { continue }
        guard part > 0 else {
          isComplete = part == 0
          break
        }
        count += part
      }
    }
    guard isComplete else { throw failure() }
    return bytes
  }
}
