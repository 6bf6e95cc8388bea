// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// The process that holds an image's locks, as far as `/proc` tells.
public struct LockHolder: Equatable, Sendable, CustomStringConvertible {
  /// The process id.
  public let processID: Int32
  /// The name of its program, as `ps` shows it.
  public let program: String

  /// "qemu-system-x86 (process 1234)".
  public var description: String {
    program.isEmpty ? "process \(processID)" : "\(program) (process \(processID))"
  }

  /// Looks through the descriptors of all processes we may look at for one that is open on the same file and
  /// holds locks. (The kernel's answer to `F_OFD_GETLK` names no process.)
  static func find(of file: ImageFile) -> LockHolder? {
    var wanted = stat()
    guard fstat(file.descriptor, &wanted) == 0 else { return nil }
    for process in entries(of: "/proc") {
      guard let processID = Int32(process) else { continue }
      for number in entries(of: "/proc/\(process)/fd") {
        guard processID != getpid() || Int32(number) != file.descriptor else { continue }
        var found = stat()
        guard stat("/proc/\(process)/fd/\(number)", &found) == 0, found.st_ino == wanted.st_ino,
          found.st_dev == wanted.st_dev, found.st_rdev == wanted.st_rdev,
          contents(of: "/proc/\(process)/fdinfo/\(number)").contains("lock:")
        else { continue }
        let name = contents(of: "/proc/\(process)/comm")
        return LockHolder(processID: processID, program: String(name.prefix { $0 != "\n" }))
      }
    }
    return nil
  }

  private static func entries(of directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names
  }

  /// The first 4 KiB of a file of `/proc`.
  private static func contents(of path: String) -> String {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
      let count = read(descriptor, buffer.baseAddress, buffer.count)
      return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
  }
}
