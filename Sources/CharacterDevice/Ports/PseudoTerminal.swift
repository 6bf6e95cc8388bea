// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc

/// Makes pseudo-terminals.
enum PseudoTerminal {
  /// A new pseudo-terminal in raw mode: its master, and the path of the other side.
  static func make() throws(HostError) -> (channel: DescriptorChannel, path: String) {
    var master: Int32 = -1
    var other: Int32 = -1
    // "/dev/pts/N", at most 20 characters.
    var name = [CChar](repeating: 0, count: 128)
    guard openpty(&master, &other, &name, nil, nil) == 0 else {
      throw HostError("cannot make a pseudo-terminal")
    }
    var mode = termios()
    if tcgetattr(other, &mode) == 0 {
      cfmakeraw(&mode)
      tcsetattr(other, TCSAFLUSH, &mode)
    }
    // Once opened and closed, the master reports a hang-up as long as nobody is there.
    close(other)
    let flags = martlet_fcntl(master, F_GETFL, 0)
    guard martlet_fcntl(master, F_SETFL, Int(flags | O_NONBLOCK)) == 0,
      martlet_fcntl(master, F_SETFD, Int(FD_CLOEXEC)) == 0
    else {
      let error = HostError("cannot set up a pseudo-terminal")
      close(master)
      throw error
    }
    let path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return (DescriptorChannel(input: master, output: master, isPseudoTerminal: true), path)
  }
}
