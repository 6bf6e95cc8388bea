// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// An ordinary file of a known size, open to be read once into memory that the caller chooses.
struct FirmwareFile: ~Copyable {
  let path: String
  /// At least one.
  let byteCount: Int
  private let descriptor: Int32

  /// Opens a file of at least one and at most `limit` bytes.
  init(_ path: String, limit: Int) throws(FirmwareFileError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .host(path: path, what: "open", code: errno) }
    do throws(FirmwareFileError) {
      byteCount = try Self.size(of: descriptor, path: path, limit: limit)
    } catch {
      close(descriptor)
      throw error
    }
    self.path = path
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  private static func size(of descriptor: Int32, path: String, limit: Int) throws(FirmwareFileError) -> Int {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .host(path: path, what: "examine", code: errno) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw .notUsable(path: path, reason: "it is not an ordinary file")
    }
    let byteCount = Int(status.st_size)
    guard byteCount > 0 else { throw .notUsable(path: path, reason: "it is empty") }
    guard byteCount <= limit else { throw .tooLarge(path: path, byteCount: byteCount, limit: limit) }
    return byteCount
  }

  /// Fills `buffer`, of at most ``byteCount`` bytes, from the start of the file.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws(FirmwareFileError) {
    var done = 0
    while done < buffer.count {
      let got = Glibc.read(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done)
      if got > 0 {
        done += got
      } else if got == 0 {
        throw .notUsable(path: path, reason: "it became shorter while it was read")
      } else if errno != EINTR {
        throw .host(path: path, what: "read", code: errno)
      }
    }
  }
}
