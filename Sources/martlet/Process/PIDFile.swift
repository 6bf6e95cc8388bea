// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc
import OptionSyntax

/// `-pidfile`: a file with the process's number, locked for as long as the process is there, and removed at its end.
final class PIDFile {
  private let path: String
  private let descriptor: Int32

  init(_ path: String) throws(OptionError) {
    let descriptor = martlet_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Self.failure(path, String(cString: strerror(errno))) }
    // -daemonize changes the directory.
    self.path = path.hasPrefix("/") ? path : Self.currentDirectory + "/" + path
    self.descriptor = descriptor
    var lock = flock(l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_SET), l_start: 0, l_len: 0, l_pid: 0)
    guard martlet_fcntl_lock(descriptor, F_SETLK, &lock) == 0 else {
      close(descriptor)
      throw Self.failure(path, "another process holds it: is the guest running already?")
    }
    let text = Array("\(getpid())\n".utf8)
    guard ftruncate(descriptor, 0) == 0, write(descriptor, text, text.count) == text.count else {
      throw Self.failure(path, String(cString: strerror(errno)))
    }
  }

  private static func failure(_ path: String, _ reason: String) -> OptionError {
    OptionError("-pidfile \(path): \(reason)")
  }

  private static var currentDirectory: String {
    guard let text = getcwd(nil, 0) else { return "" }
    defer { free(text) }
    return String(cString: text)
  }

  /// Removes the file.
  func remove() {
    unlink(path)
    close(descriptor)
  }
}
