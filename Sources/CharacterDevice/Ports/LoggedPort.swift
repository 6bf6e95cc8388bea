// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc

/// A port of which all that the guest writes is also kept in a file (`logfile=`).
public final class LoggedPort: CharacterPort {
  /// The port itself.
  public let port: any CharacterPort
  private var descriptor: Int32

  /// Keeps what goes to `port` in the file at `path`, which is emptied first unless it is appended to.
  init(_ port: any CharacterPort, path: String, appends: Bool) throws(HostError) {
    self.port = port
    let flags = O_WRONLY | O_CREAT | (appends ? O_APPEND : O_TRUNC) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
    descriptor = DescriptorSets.open(path, flags, 0o666)
    guard descriptor >= 0 else { throw HostError("cannot open the log '\(path)'") }
  }

  deinit { closeLog() }

  public var receiver: (any CharacterReceiver)? {
    get { port.receiver }
    set { port.receiver = newValue }
  }

  public func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    let count = port.write(bytes)
    // What is refused now comes again. A log that cannot be written must not stop the guest.
    var rest = UnsafeRawBufferPointer(rebasing: bytes.prefix(max(0, count)))
    while descriptor >= 0, let base = rest.baseAddress, rest.count > 0 {
      let written = Glibc.write(descriptor, base, rest.count)
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { break }
      rest = UnsafeRawBufferPointer(rebasing: rest[written...])
    }
    return count
  }

  public func keepDescriptors() { port.keepDescriptors() }
  public func takeDescriptors() -> [Int32] { port.takeDescriptors() }
  public func receiverBecameReady() { port.receiverBecameReady() }

  public func close() {
    port.close()
    closeLog()
  }

  private func closeLog() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }
}
