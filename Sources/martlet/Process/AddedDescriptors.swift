// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc
import OptionSyntax

/// `-add-fd`: descriptors that whoever started the process opened for it.
struct AddedDescriptors {
  private var members: [(descriptor: Int32, set: Int, opaque: String?)] = []

  /// Understands the values of the option.
  init(_ texts: [String]) throws(OptionError) {
    for text in texts {
      var list = try PropertyList(text, option: "-add-fd")
      guard let number = try list.takeInteger("fd", in: 0...Int(Int32.max)) else {
        throw OptionError("-add-fd: fd= is missing")
      }
      guard number > 2 else {
        throw OptionError("-add-fd: fd=\(number) is a standard descriptor: give others")
      }
      guard let set = try list.takeInteger("set", in: 0...Int(Int32.max)) else {
        throw OptionError("-add-fd: set= is missing")
      }
      members.append((Int32(number), set, list.take("opaque")))
      try list.finish()
    }
  }

  /// Puts copies into their sets, and closes the descriptors themselves.
  func take() throws(OptionError) {
    for (descriptor, set, opaque) in members {
      let flags = martlet_fcntl(descriptor, F_GETFD, 0)
      guard flags >= 0, flags & FD_CLOEXEC == 0 else {
        throw OptionError("-add-fd: fd=\(descriptor) was not passed to the process")
      }
      let copy = martlet_fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
      guard copy >= 0 else {
        throw OptionError("-add-fd: fd=\(descriptor): \(String(cString: strerror(errno)))")
      }
      do throws(DescriptorSets.Failure) {
        _ = try DescriptorSets.current.add(copy, to: set, opaque: opaque)
      } catch { throw OptionError("-add-fd: \(error)") }
    }
    for descriptor in Set(members.map(\.descriptor)) { close(descriptor) }
  }
}
